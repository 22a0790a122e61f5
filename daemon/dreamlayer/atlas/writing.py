"""Writes an atlas into a folder: pages, sheets, style and scripts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from dreamlayer.atlas import pages
from dreamlayer.atlas.contents import NetworkEntry

INDEX = "index.html"
STATIC = ("atlas.css", "atlas.js")


class CannotWriteAtlas(ValueError):
    """The folder is something else's; the text is for the user."""


def check(folder: Path) -> None:
    """Raise CannotWriteAtlas unless the folder is new, empty, or an atlas already."""
    if not folder.exists():
        if folder.parent.is_dir():
            return
        raise CannotWriteAtlas(f"{folder} can't be made: there is no folder {folder.parent}.")
    if not folder.is_dir():
        raise CannotWriteAtlas(f"{folder} is a file: name a folder for the atlas.")
    first = folder / INDEX
    ours = first.is_file() and pages.GENERATOR in first.read_text("utf-8", errors="replace")
    if not ours and any(folder.iterdir()):
        raise CannotWriteAtlas(f"{folder} holds other files: name a new folder for the atlas.")


def write(folder: Path, networks: Sequence[NetworkEntry]) -> Path:
    """Write an atlas of at least one network; returns its first page.

    Raises:
        CannotWriteAtlas: the folder is something else's.
        OSError: a file can't be written.
    """
    check(folder)
    folder.mkdir(exist_ok=True)
    for network in networks:
        inside = folder / network.name
        inside.mkdir(exist_ok=True)
        for name, sheet in network.sheets.items():
            (inside / f"{name}.webp").write_bytes(sheet)
        for layer in network.layers:
            page = pages.layer_page(network, layer)
            (inside / f"{layer.name}.html").write_text(page, "utf-8")
    for name in STATIC:
        shutil.copyfile(Path(__file__).parent / name, folder / name)
    (folder / "search.js").write_text(pages.search_script(networks), "utf-8")
    first = folder / INDEX
    first.write_text(pages.first_page(networks), "utf-8")  # last: who finds it finds the rest
    return first
