"""Imports torchvision even if its compiled operators cannot be loaded.

torchvision's wheel is compiled against one build of torch. With another (the CPU build, say) its
compiled library is skipped, and then `import torchvision` fails, because it refers to two
undeclared operators, `nms` and `qnms`. They suppress overlapping boxes of object detectors; no
network here calls them. Declaring them is enough for the import.
"""

from __future__ import annotations

from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # deleting a Library would delete its operators


def _declare_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)


def import_torchvision() -> ModuleType:
    """Return the module `torchvision`, with `torchvision.models` imported."""
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _declare_operators()
        import torchvision
    return torchvision  # type: ignore[no-any-return]
