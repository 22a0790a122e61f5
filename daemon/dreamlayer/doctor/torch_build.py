"""What to do if PyTorch computes with the processor: from the record that install.py leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from dreamlink.client import discovery, private_files


def remedy(cuda_build: bool) -> str:
    """What the user can do to have the graphics card used; "" if there is nothing.

    Args:
        cuda_build: whether the installed PyTorch is made for NVIDIA's cards
    """
    told = _record()
    if told.get("device") == "cpu":  # as the user told install.py
        return ""
    advice = str(told.get("advice") or "")
    if advice or not has_nvidia_card():
        return advice
    if cuda_build:
        return (
            "Update the NVIDIA driver to version 580 or newer and restart the computer."
            " Run install.py again."
        )
    return "Run install.py again: it installs the PyTorch for this card, or says what is missing."


def has_nvidia_card() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _record() -> dict[str, Any]:
    """What install.py remembers of its choice; empty if it was not run, or the file is damaged."""
    try:
        told = json.loads(private_files.read(discovery.home() / discovery.TORCH_FILE))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
