"""The table of settings: each setting of the daemon is a field of `Settings`.

Values come from `settings.json` in Dreamlayer's folder, which `dreamlayer settings` writes, and
from the environment (`DREAMLAYER_<NAME>`), which takes precedence. They are read when the daemon
starts. An invalid value is reported and ignored, so that a typing error does not keep the daemon
from starting. To add a setting, add a field here and pass `Settings` to the code that needs it.
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
from dreamlink.client import discovery, private_files
from dreamlink.recipe.recipe import Parameter, Value

SETTINGS_FILE = "settings.json"
FILE_MAX = 1 << 20  # bytes; a longer file can't be one of settings
DAY = 86400.0
MIB = 1 << 20


class SettingsError(ValueError):
    """An unknown setting or an unreadable file; the text is one sentence."""


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
    """The daemon's settings, read once when it starts. Sizes are in MiB, times in seconds."""

    connections_max: int = _count(
        64, "Connections", "How many programs may be connected at the same time.", 1000
    )
    message_max: int = _mebibytes(
        8192, "Message", "The largest request, a picture with its mask, that may be sent.", low=1
    )
    pixels_max: int = _row(
        1000, "Pixels", "The largest picture that may be sent.",
        minimum=1, maximum=17180, unit="megapixels",
    )  # fmt: skip
    waiting_max: int = _count(
        256, "Waiting dreams", "How many dreams of all programs together may wait.", 100000
    )
    waiting_max_client: int = _count(
        64, "Waiting dreams of one program", "How many dreams of one program may wait.", 100000
    )
    waiting_memory: int = _mebibytes(
        4096, "Memory of waiting dreams", "How much memory waiting pictures may take. One picture"
        " may always wait.",
    )  # fmt: skip
    job_age: float = _seconds(
        DAY,
        "Age of a dream",
        "How long after it was asked for an unfinished dream is given up. 0: never.",
    )
    keep_memory: int = _mebibytes(
        1024, "Memory of finished dreams", "How much memory finished dreams may take, so that they"
        " can be changed without dreaming again. 0: none are kept.",
    )  # fmt: skip
    results_disk: int = _mebibytes(
        4096, "Disk for results", "How much disk space finished dreams may take until they are"
        " fetched. 0: none are kept.",
    )  # fmt: skip
    results_age: float = _seconds(
        DAY, "Age of results", "How long a finished dream is kept until it is fetched. 0: for ever."
    )
    grace: float = _seconds(
        5.0, "Grace", "How long a dream continues after its program has disconnected.", high=DAY
    )
    stop_within: float = _seconds(
        10.0, "Stop within", "How long the daemon waits for its current work when it stops.", 3600.0
    )
    finish_within: float = _seconds(
        600.0, "Finish within", "How long the daemon continues its dreams when it is asked to"
        " finish them before it stops.", DAY
    )  # fmt: skip
    update_after: float = _seconds(
        60.0, "Update after", "How long the daemon must be idle before it makes way for another"
        " version that was installed.", DAY
    )  # fmt: skip
    idle_unload: float = _seconds(
        300.0, "Idle", "How long an unused network stays loaded. 0: for ever.",
    )  # fmt: skip
    map_above: int = _mebibytes(
        0, "Memory of a picture", "Larger pictures are kept in files while they are dreamed on. 0:"
        " those that don't easily fit into the free memory.",
    )  # fmt: skip
    threads: int = _count(
        0, "Threads", "How many processor cores may be used. 0: all.", 1024, low=0
    )
    duty: float = _row(
        100.0, "Duty", "Which share of the time may be spent computing; less keeps a laptop cool.",
        minimum=5.0, maximum=100.0, unit="%",
    )  # fmt: skip
    priority: str = _row(
        "normal", "Priority", "Processor priority of dreams; with low, other programs go first.",
        choices=("normal", "low"),
    )  # fmt: skip
    preview_share: float = _row(
        10.0, "Previews", "Which share of the time may be spent on previews of a running dream.",
        minimum=0.0, maximum=100.0, unit="%",
    )  # fmt: skip
    quick_share: float = _row(
        75.0, "Quick looks", "Which share of the time quick looks may take while other dreams are"
        " under way.", minimum=1.0, maximum=99.0, unit="%",
    )  # fmt: skip
    log_size: int = _mebibytes(
        4, "Log", "How large the log may grow before a new one is started.", low=1
    )
    log_files: int = _count(3, "Old logs", "How many older logs are kept.", 100, low=0)
    remote: str = _row(
        "", "Remote", "The daemon on another computer that dreams for this one, as `dreamlayer"
        " keys show` prints it there: ADDRESS:PORT/KEY. Empty: this computer dreams itself.",
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
class LoadedSettings:
    """Settings with their origins and problems.

    Attributes:
        settings: the settings to use.
        origins: names of the settings that were set, and where: "settings.json" or the variable.
        problems: a sentence for each value that was ignored.
    """

    settings: Settings
    origins: Mapping[str, str]
    problems: tuple[str, ...]


def path() -> Path:
    """This user's settings file."""
    return discovery.home() / SETTINGS_FILE


def load(environment: Mapping[str, str] = os.environ) -> LoadedSettings:
    """This user's settings. Never fails: an invalid setting keeps its default."""
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
    return LoadedSettings(Settings.of(values), origins, tuple(problems))


def read() -> dict[str, object]:
    """The contents of the file, unchecked; empty if there is no file. Raises SettingsError."""
    try:
        text = private_files.read(path()).decode("utf-8-sig")
        values = json.loads(text) if len(text) <= FILE_MAX else None
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"{path()} can't be read ({error}): correct it, or delete it to restore all defaults."
        ) from error
    if not isinstance(values, dict):
        raise SettingsError(
            f'{path()} does not contain settings, such as {{}} or {{"threads": 2}}: correct it or'
            " delete it."
        )
    return values


def change(name: str, text: str) -> Value:
    """Store the value that a user typed for a setting; "default" removes it. Returns the value.

    Raises:
        ValueError: there is no such setting, the value is invalid, or the file is damaged.
        OSError: the file can't be written.
    """
    stored = read()
    if text.strip().lower() == "default":
        stored.pop(find(name).name, None)
    else:
        stored[name] = parse(name, text)
    private_files.make_private(path().parent)
    private_files.write(path(), json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    return cast("Value", stored.get(name, SETTINGS[name].default))


def check(name: str, value: object) -> Value:
    """`value` converted to the type of the setting `name`; raises ValueError with one sentence."""
    checked = find(name).check(value)
    if name == "remote" and checked:
        remote_address(str(checked))
    return checked


def parse(name: str, text: str) -> Value:
    """The value of the setting `name` that a user typed; raises ValueError."""
    row = find(name)
    return check(name, row.parse(text.strip()))


def limit_hint(name: str) -> str:
    """The end of a refusal's sentence: which setting is the limit, and how to change it."""
    return f"the limit is the setting {name}, see: dreamlayer settings {name}"


def format_value(name: str, value: Value) -> str:
    """A value with its unit, for users."""
    text = f"{value:.10g}" if isinstance(value, float) else str(value) or "(none)"
    return f"{text} {SETTINGS[name].unit}".rstrip()


def find(name: str) -> Parameter:
    """The row of the setting `name`; raises SettingsError, which lists all names."""
    row = SETTINGS.get(name)
    if row is None:
        raise SettingsError(f"There is no setting {name!r:.60}. Settings: {', '.join(SETTINGS)}.")
    return row
