"""Dreamlayer: DeepDream as a layer operation. The daemon, its engine, the command line, Python.

import dreamlayer
dreamlayer.dream("photo.jpg", preset="creatures")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dreamlink import VERSION

if TYPE_CHECKING:
    from dreamlayer.api.calls import dream, dream_all
    from dreamlayer.api.errors import DreamCancelled, DreamError, DreamWarning

__version__ = VERSION

__all__ = [
    "DreamCancelled", "DreamError", "DreamWarning", "__version__", "dream", "dream_all",
]  # fmt: skip

_MODULES = {
    "dream": "calls", "dream_all": "calls",
    "DreamCancelled": "errors", "DreamError": "errors", "DreamWarning": "errors",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import what is used, when it is used: the command line's help needs none of it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"dreamlayer.api.{_MODULES[name]}"), name)
