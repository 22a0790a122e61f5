"""Letting a gradient through where nothing is active, so that sleeping channels can be woken.

In grey noise a quarter of the channels of a middle layer, and more than half of a late one, are
zero everywhere: a ReLU then passes no gradient, and the picture would stay grey for ever.

Source of the idea: Lucid's redirected ReLU gradients (Olah et al., 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor
from torch.overrides import TorchFunctionMode

LEAK = 0.1  # of the gradient passes where a ReLU is closed
_RELUS = {F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}


class Awake(TorchFunctionMode):
    """While active, every ReLU has its usual values, and a part of the gradient always passes."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func in _RELUS:
            return _leaky(named["input"] if "input" in named else args[0])
        return func(*args, **named)


def _leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, LEAK * (x - x.detach()))
