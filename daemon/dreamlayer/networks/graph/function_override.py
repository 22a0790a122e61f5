"""Runs a network with some of torch's functions replaced, without changing the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

Rules = Mapping[Any, Callable[..., Tensor]]  # torch's function → its replacement


class FunctionOverride(TorchFunctionMode):
    """While active, calls replacements of some of torch's functions, with the same arguments."""

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self._rules = rules

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        chosen: Callable[..., Any] = self._rules.get(func, func)
        return chosen(*args, **(kwargs or {}))
