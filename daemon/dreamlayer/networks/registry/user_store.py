"""The shelf: a folder of the user's with the weights that were fetched, or that the user brought.

A network's weights are `NAME.safetensors`. Beside those that the user brought lies a note,
`NAME.json`, of what they are; it makes a network of them. Nothing here imports torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamlayer.networks.registry.catalogue import FILE, MODELS, ModelSpec

NAME = re.compile(  # and so never a path, nor one of Windows' devices
    r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\Z)[a-z0-9][a-z0-9_-]{0,63}",
    re.ASCII | re.IGNORECASE,
)
NOTE_KEYS = frozenset(
    {"arch", "classes", "class_names", "licence", "mean", "sha256", "source", "std"}
)


@dataclass(frozen=True)
class UserStore:
    """The networks in a folder, which needn't exist; with None there are none."""

    folder: Path | None

    def weights_file(self, name: str) -> Path | None:
        """Where the weights of a network lie, if they are there."""
        if self.folder is None or not NAME.fullmatch(name):
            return None
        return self.folder / f"{name}.safetensors"

    def holds(self, name: str) -> bool:
        """Whether the weights of a network are there."""
        path = self.weights_file(name)
        return path is not None and path.is_file()

    def find(self, name: str) -> ModelSpec | None:
        """The network of the user's called `name`; None too if what it is made of is damaged."""
        if self.folder is None or not self.holds(name) or name in MODELS:
            return None
        try:
            note = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
            return _network(name, note)
        except (OSError, ValueError):
            return None

    def networks(self) -> list[ModelSpec]:
        """The networks of the user's, by name."""
        notes = sorted(self.folder.glob("*.json")) if self.folder else []
        found = [self.find(path.stem) for path in notes]
        return [spec for spec in found if spec is not None]

    def put_note(self, spec: ModelSpec) -> None:
        """Write down what a network of the user's is."""
        assert self.folder is not None
        note = {key: getattr(spec, key) for key in sorted(NOTE_KEYS)}
        path = self.folder / f"{spec.name}.json"
        path.write_text(json.dumps(note, ensure_ascii=False), encoding="utf-8")

    def remove(self, name: str) -> bool:
        """Delete a network's weights and note; whether there was anything."""
        path = self.weights_file(name)
        there = [p for p in (path, path and path.with_suffix(".json")) if p and p.exists()]
        for found in there:
            found.unlink()
        return bool(there)


def brought(name: str, note: Mapping[str, Any]) -> ModelSpec:
    """The network that the user's weights make of an architecture of the catalogue."""
    known = MODELS[note["arch"]]
    return replace(
        known,
        name=name,
        title=name,
        summary=f"Your own: {known.title} from {note['source']}, {note['classes']} classes.",
        weights=FILE,
        further=False,
        **{key: note[key] for key in NOTE_KEYS - {"arch"}},
    )


def _network(name: str, note: object) -> ModelSpec:
    """Raises ValueError for a note that no `put_note` wrote."""
    if not isinstance(note, dict) or set(note) != NOTE_KEYS or note["arch"] not in MODELS:
        raise ValueError("not a note")
    numbers = [note[key] for key in ("mean", "std")]
    names = note["class_names"]
    texts = [*(note[key] for key in ("licence", "sha256", "source")), *(names or [])]
    sound = (
        isinstance(note["classes"], int)
        and note["classes"] > 0
        and all(isinstance(text, str) for text in texts)
        and (names is None or len(names) == note["classes"])
        and all(isinstance(three, list) and len(three) == 3 for three in numbers)
        and all(isinstance(value, int | float) for three in numbers for value in three)
    )
    if not sound:
        raise ValueError("not a note")
    mean, std = (tuple(three) for three in numbers)
    return brought(name, {**note, "mean": mean, "std": std, "class_names": names and tuple(names)})


_current = UserStore(None)


def current() -> UserStore:
    """The shelf of this process: empty until `keep_in` says where it is."""
    return _current


def keep_in(folder: Path) -> None:
    """Say in which folder this process finds and keeps the user's weights."""
    global _current  # noqa: PLW0603 - one folder a process, told by whoever knows where it is
    _current = UserStore(folder)
