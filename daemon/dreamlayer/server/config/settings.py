"""The one table of settings: everything that can be set about the daemon is a field of `Settings`.

Their values come from `settings.json` in Dreamlayer's folder, which `dreamlayer settings` writes,
and from the environment (`DREAMLAYER_<NAME>`), which goes before the file. They are read when the
daemon starts. What is wrong there is said and left out: a daemon that does not start over a slip
of the pen helps nobody. To add a setting, add a field here and hand `Settings` to what obeys it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dreamlayer.server.config.address import remote_address
from dreamlink.client import discovery
from dreamlink.recipe.recipe import Parameter, Value

SETTINGS_FILE = "settings.json"
FILE_MAX = 1 << 20  # bytes; a longer one is not ours
DAY = 86400.0
MIB = 1 << 20


class SettingsError(ValueError):
    """A setting that can't be; the text is one sentence."""


def _row(default: Value, label: str, help_text: str, **more: Any) -> Any:
    return dataclasses.field(default=default, metadata={"label": label, "help": help_text, **more})


def _count(default: int, label: str, help_text: str, high: int, low: int = 1) -> Any:
    return _row(default, label, help_text, minimum=low, maximum=high)


def _mebibytes(default: int, label: str, help_text: str, low: int = 0) -> Any:
    return _row(default, label, help_text, minimum=low, maximum=1 << 20, unit="MiB")


def _seconds(default: float, label: str, help_text: str, high: float = 365 * DAY) -> Any:
    return _row(default, label, help_text, minimum=0.0, maximum=high, unit="s")


@dataclass(frozen=True)
class Settings:
    """What the daemon is told once, when it starts. Sizes are in MiB, times in seconds."""

    connections_max: int = _count(
        64, "Connections", "How many programs may be connected at a time.", 1000
    )
    message_max: int = _mebibytes(
        8192, "Message", "The most that one message, a picture with its mask, may hold.", low=1
    )
    pixels_max: int = _row(
        1000, "Pixels", "The largest picture that may be sent.",
        minimum=1, maximum=17180, unit="megapixels",
    )  # fmt: skip
    waiting_max: int = _count(
        256, "Waiting dreams", "How many dreams may wait, of all programs together.", 100000
    )
    waiting_max_client: int = _count(
        64, "Waiting dreams of one program", "How many dreams of one program may wait.", 100000
    )
    waiting_memory: int = _mebibytes(
        4096, "Memory of waiting dreams", "How much memory the pictures that wait may take. One"
        " picture may always wait.",
    )  # fmt: skip
    job_age: float = _seconds(
        DAY, "Age of a dream", "How long after it was asked for a dream is given up. 0: never."
    )
    keep_memory: int = _mebibytes(
        1024, "Memory of finished dreams", "How much memory finished dreams may take, so that they"
        " can be changed without dreaming again. 0 keeps none.",
    )  # fmt: skip
    results_disk: int = _mebibytes(
        4096, "Disk for results", "How much disk finished dreams may take that nobody has fetched"
        " yet. 0 keeps none.",
    )  # fmt: skip
    results_age: float = _seconds(
        DAY, "Age of results", "How long a finished dream waits until it is fetched. 0: for ever."
    )
    grace: float = _seconds(
        5.0, "Grace", "How long a dream goes on whose program has vanished.", high=DAY
    )
    stop_within: float = _seconds(
        10.0, "Stop within", "How long the daemon waits for the work at hand when it stops.", 3600.0
    )
    finish_within: float = _seconds(
        600.0, "Finish within", "How long the daemon goes on with its dreams when it is asked to"
        " finish them before it stops.", DAY
    )  # fmt: skip
    update_after: float = _seconds(
        60.0, "Update after", "How long the daemon has had nothing to do when it makes way for"
        " another version that was installed.", DAY
    )  # fmt: skip
    idle_unload: float = _seconds(
        300.0, "Idle", "How long a network that nobody uses stays in the graphics card's memory."
        " 0: for ever.",
    )  # fmt: skip
    map_above: int = _mebibytes(
        0, "Memory of a picture", "Larger pictures are kept in files while they are dreamed. 0:"
        " those that the free memory does not easily hold.",
    )  # fmt: skip
    threads: int = _count(
        0, "Threads", "How many of the processor's cores may work. 0: all.", 1024, low=0
    )
    duty: float = _row(
        100.0, "Duty", "Which part of the time may be spent working; less keeps a laptop cool.",
        minimum=5.0, maximum=100.0, unit="%",
    )  # fmt: skip
    priority: str = _row(
        "normal", "Priority", "Whether dreams stand back when other programs want the processor.",
        choices=("normal", "low"),
    )  # fmt: skip
    preview_share: float = _row(
        10.0, "Previews", "Which part of the time may be spent on a running dream's previews.",
        minimum=0.0, maximum=100.0, unit="%",
    )  # fmt: skip
    quick_share: float = _row(
        75.0, "Quick looks", "Which part of the time quick looks may take while dreams that are not"
        " quick are under way.", minimum=1.0, maximum=99.0, unit="%",
    )  # fmt: skip
    log_size: int = _mebibytes(4, "Log", "How long the log grows until a new one is begun.", low=1)
    log_files: int = _count(3, "Old logs", "How many older logs are kept.", 100, low=0)
    remote: str = _row(
        "", "Remote", "Another computer's daemon that dreams for this one, as `dreamlayer keys"
        " show` says it there: ADDRESS:PORT/KEY. Empty: this computer dreams itself.",
    )  # fmt: skip

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Settings:
        """Checked settings; raises ValueError with one sentence that names the setting."""
        checked: dict[str, Any] = {name: check(name, value) for name, value in values.items()}
        return cls(**checked)


_KINDS: dict[str, type] = {"str": str, "int": int, "float": float}
SETTINGS: dict[str, Parameter] = {
    f.name: Parameter(
        name=f.name, kind=_KINDS[str(f.type)], default=cast("Value", f.default), **f.metadata
    )
    for f in dataclasses.fields(Settings)
}


@dataclass(frozen=True)
class Loaded:
    """Settings as they were found.

    Attributes:
        settings: to be obeyed.
        origins: which names were set, and by what: "settings.json" or the variable's name.
        problems: a sentence for each value that was left out.
    """

    settings: Settings
    origins: Mapping[str, str]
    problems: tuple[str, ...]


def path() -> Path:
    """Where the settings of this user lie."""
    return discovery.home() / SETTINGS_FILE


def load(environment: Mapping[str, str] = os.environ) -> Loaded:
    """The settings of this user. Never fails: what is wrong keeps its default."""
    problems: list[str] = []
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    try:
        stored = read()
    except SettingsError as error:
        stored = {}
        problems.append(str(error))
    for name, value in stored.items():
        try:
            values[name] = check(name, value)
            origins[name] = SETTINGS_FILE
        except ValueError as error:
            problems.append(f"In {path()}: {error}")
    for name in SETTINGS:
        variable = f"DREAMLAYER_{name.upper()}"
        if variable in environment:
            try:
                values[name] = parse(name, environment[variable])
                origins[name] = variable
            except ValueError as error:
                problems.append(f"In the environment variable {variable}: {error}")
    return Loaded(Settings.of(values), origins, tuple(problems))


def read() -> dict[str, object]:
    """What stands in the file, unchecked; nothing if there is none. Raises SettingsError."""
    try:
        with path().open("rb") as file:
            text = file.read(FILE_MAX + 1).decode("utf-8-sig")
        values = json.loads(text) if len(text) <= FILE_MAX else None
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"{path()} can't be read ({error}): correct it, or delete it to have every setting as"
            " it was."
        ) from error
    if not isinstance(values, dict):
        raise SettingsError(
            f'{path()} does not hold settings, such as {{}} or {{"threads": 2}}: correct or'
            " delete it."
        )
    return values


def change(name: str, text: str) -> Value:
    """Store what a person typed for a setting, "default" to take it out; returns the value.

    Raises:
        ValueError: there is no such setting, or it can't have this value, or the file is damaged.
        OSError: the file can't be written.
    """
    stored = read()
    if text.strip().lower() == "default":
        stored.pop(known(name).name, None)
    else:
        stored[name] = parse(name, text)
    path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path().with_name(f"{SETTINGS_FILE}.{os.getpid()}")
    fresh.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path())
    return cast("Value", stored.get(name, SETTINGS[name].default))


def check(name: str, value: object) -> Value:
    """`value` as the type of the setting `name`; raises ValueError with one sentence."""
    checked = known(name).check(value)
    if name == "remote" and checked:
        remote_address(str(checked))
    return checked


def parse(name: str, text: str) -> Value:
    """The value of the setting `name` that a person typed; raises ValueError."""
    row = known(name)
    return check(name, row.parse(text.strip()))


def remedy(name: str) -> str:
    """What ends the sentence of a refusal: which setting it was, and how it is changed."""
    return f"the limit is the setting {name}, see: dreamlayer settings {name}"


def shown(name: str, value: Value) -> str:
    """A value with its unit, for people."""
    text = f"{value:.10g}" if isinstance(value, float) else str(value) or "(none)"
    return f"{text} {SETTINGS[name].unit}".rstrip()


def known(name: str) -> Parameter:
    """The row of the setting `name`; raises SettingsError, which lists those that there are."""
    row = SETTINGS.get(name)
    if row is None:
        raise SettingsError(f"There is no setting {name!r:.60}; there are: {', '.join(SETTINGS)}.")
    return row
