"""Dreamlayer's plug-in for Krita: dreams on the active layer and adds a layer above it."""

import importlib.util

if importlib.util.find_spec("PyKrita") is not None:  # absent in tests, which import the modules
    from .extension import register

    register()
