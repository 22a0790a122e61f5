"""The error for files that are no weights of the network."""

from __future__ import annotations

from pathlib import Path


class UnfitWeights(ValueError):
    """A file contains no weights, or those of another network; the message is for the user."""


def too_large(path: Path, size: int, most: int) -> UnfitWeights:
    """The error for a file that is, or unpacks to, more bytes than the network can need."""
    return UnfitWeights(
        f"{path} holds {size / 1e6:,.0f} MB; weights of this architecture have {most / 1e6:,.0f} MB"
        " at most. Choose the right architecture, or save the network's state_dict() alone."
    )
