"""Dreamlayer in Krita: the active layer dreams, and the dream becomes a layer above it."""

import importlib.util

if importlib.util.find_spec("PyKrita") is not None:  # only in Krita: tests import the parts
    from .extension import register

    register()
