"""Running a network with some of its functions replaced, the network itself left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

Rules = Mapping[Any, Callable[..., Tensor]]  # torch's function → what is called instead


class FunctionOverride(TorchFunctionMode):
    """While active, some of torch's functions are others, called with the same arguments."""

    def __init__(self, instead: Rules) -> None:
        super().__init__()
        self._instead = instead

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        chosen: Callable[..., Any] = self._instead.get(func, func)
        return chosen(*args, **(kwargs or {}))
