"""Torch's settings for the work of one network on a card; they hold for that work alone.

The settings belong to the process: set once for a network they would hold for the next one, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def settings_of(precision: str) -> Iterator[None]:
    """Within this context convolutions are the same to the last bit each time.

    Algorithms are not chosen by measuring, which costs seconds for each shape and may end
    differently the next time; sums are in float32; factors are rounded to 10 bits for "tf32" only.
    """
    rounded = precision == "tf32"
    matmul = torch.backends.cuda.matmul
    before = (
        matmul.allow_tf32,
        matmul.allow_fp16_reduced_precision_reduction,
        matmul.allow_bf16_reduced_precision_reduction,
    )
    matmul.allow_tf32 = rounded
    matmul.allow_fp16_reduced_precision_reduction = False
    matmul.allow_bf16_reduced_precision_reduction = False
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=rounded
        ):
            yield
    finally:
        (
            matmul.allow_tf32,
            matmul.allow_fp16_reduced_precision_reduction,
            matmul.allow_bf16_reduced_precision_reduction,
        ) = before
