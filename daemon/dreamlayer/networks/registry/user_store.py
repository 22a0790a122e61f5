"""The user's folder of weights: downloaded ones, and those of networks that the user added.

A network's weights are `NAME.safetensors`. For a network that the user added there is also
`NAME.json`, a note of its architecture, classes and preprocessing. Nothing here imports torch.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamlayer.networks.registry.catalogue import FILE, MODELS, ModelSpec
from dreamlayer.networks.registry.regular_file import read_small

NAME = re.compile(  # neither a path nor one of Windows' device names
    r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\Z)[a-z0-9][a-z0-9_-]{0,63}",
    re.ASCII | re.IGNORECASE,
)
NOTE_MAX = 16 << 20  # bytes; class names are at most 1 MB, which escapes may multiply
NOTE_KEYS = frozenset(
    {"arch", "classes", "class_names", "licence", "mean", "sha256", "source", "std"}
)


@dataclass(frozen=True)
class UserStore:
    """The networks in a folder, which need not exist; None: no networks."""

    folder: Path | None

    def weights_file(self, name: str) -> Path | None:
        """Return the path for a network's weights, existing or not; None without a folder."""
        if self.folder is None or not NAME.fullmatch(name):
            return None
        return self.folder / f"{name}.safetensors"

    def holds(self, name: str) -> bool:
        """Whether the weights of a network exist."""
        path = self.weights_file(name)
        return path is not None and path.is_file()

    def find(self, name: str) -> ModelSpec | None:
        """Return the user's network called `name`; None if there is none or its note is damaged."""
        if self.folder is None or not self.holds(name) or name in MODELS:
            return None
        try:
            note = read_small(self.folder / f"{name}.json", NOTE_MAX)
            return None if note is None else _network(name, json.loads(note))
        except (OSError, ValueError, RecursionError):
            return None

    def networks(self) -> list[ModelSpec]:
        """Return the user's networks, sorted by name."""
        notes = sorted(self.folder.glob("*.json")) if self.folder else []
        specs = [self.find(path.stem) for path in notes]
        return [spec for spec in specs if spec is not None]

    def put_note(self, spec: ModelSpec) -> None:
        """Write the note of a network that the user added."""
        assert self.folder is not None
        note = {key: getattr(spec, key) for key in sorted(NOTE_KEYS)}
        path = self.folder / f"{spec.name}.json"
        path.write_text(json.dumps(note, ensure_ascii=False), encoding="utf-8")

    def remove(self, name: str) -> bool:
        """Delete a network's weights and note; returns whether there were any."""
        path = self.weights_file(name)
        existing = [p for p in (path, path and path.with_suffix(".json")) if p and p.exists()]
        for file in existing:
            file.unlink()
        return bool(existing)


def added_spec(name: str, note: Mapping[str, Any]) -> ModelSpec:
    """Return the network with the user's weights for an architecture of the catalogue."""
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
    """Return the network of a note; ValueError if `put_note` cannot have written it."""
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
        and all(math.isfinite(value) for three in numbers for value in three)
        and all(value > 0 for value in note["std"])
    )
    if not sound:
        raise ValueError("not a note")
    mean, std = (tuple(three) for three in numbers)
    return added_spec(
        name, {**note, "mean": mean, "std": std, "class_names": names and tuple(names)}
    )


_current = UserStore(None)


def current() -> UserStore:
    """Return the store of this process: empty until `keep_in` was called."""
    return _current


def keep_in(folder: Path) -> None:
    """Set the folder of the user's weights for this process."""
    global _current  # noqa: PLW0603 - one folder a process, set by its main module
    _current = UserStore(folder)
