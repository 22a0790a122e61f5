"""The installation of the program that dreams, which a plug-in that came as a zip can do.

There is one for all of Krita's windows: each window's docker follows it.
"""

from __future__ import annotations

from pathlib import Path

from dreamlink.client.setup import offer
from dreamlink.client.setup.offer import SetupOffer
from dreamlink.client.setup.setup_run import SetupRun

PLUGIN = Path(__file__).parents[1]
setup_run = SetupRun()


def offered() -> SetupOffer | None:
    """What is missing and can be installed; None if nothing is missing."""
    return offer.look(PLUGIN)
