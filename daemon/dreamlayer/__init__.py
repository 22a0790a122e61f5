"""Dreamlayer: DeepDream as a layer operation. The daemon, its engine and the command line."""

from dreamlink import VERSION as __version__

__all__ = ["__version__"]
