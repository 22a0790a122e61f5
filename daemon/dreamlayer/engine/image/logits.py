"""Samples as logits and back, with the same bits whatever the number of threads.

torch computes eight or sixteen numbers at a time, and what is left at the end of a thread's share
one by one, which may round otherwise. So these two take one thread: a millisecond a megapixel.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.runtime.torch_threads import one_thread


def sigmoid(logits: Tensor) -> Tensor:
    """1 / (1 + exp(−x)) of each number, in 0..1; differentiable."""
    with one_thread():
        return torch.sigmoid(logits)


def logit(samples: Tensor, edge: float) -> Tensor:
    """log(x / (1 − x)) of each sample, limited to edge..1 − edge before."""
    with one_thread():
        return torch.logit(samples, edge)
