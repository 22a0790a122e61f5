"""Dreamlayer's plug-in for Krita: dreams on the active layer and adds a layer above it."""

import importlib.util
import sys
from pathlib import Path

# Krita's importer takes nothing but this folder, so what the plug-in needs is in it. In the source
# tree it is elsewhere.
_LIBRARIES = Path(__file__).with_name("lib")
if _LIBRARIES.is_dir():
    sys.path.insert(0, str(_LIBRARIES))

if importlib.util.find_spec("PyKrita") is not None:  # absent in tests, which import the modules
    from krita import Krita

    from . import old_krita

    if old_krita.is_too_old(str(Krita.instance().version())):
        old_krita.register()
    else:
        from .extension import register

        register()
