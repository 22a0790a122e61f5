"""Dreamlayer: DeepDream as a layer operation. The daemon, its engine and the command line."""

from dreamlink import VERSION

__version__ = VERSION

__all__ = ["__version__"]
