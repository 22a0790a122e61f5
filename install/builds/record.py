"""What is remembered of the choice: a file in Dreamlayer's folder that the doctor reads, too."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from dreamlink.client import private_files
from install.builds.choice import AUTO, DEVICES
from install.own import Own


@dataclass(frozen=True)
class TorchRecord:
    """What the user asked for, what was wanted for this computer, and what was got."""

    device: str = AUTO  # as --device said
    wanted: str = ""  # the name of the build that fits
    got: str = ""  # the version that was installed
    cards: tuple[str, ...] = ()  # what the choice was made for, a line a card
    problem: str = ""  # a sentence on why something else than wanted was installed
    advice: str = ""  # sentences on what the user can do


def read(own: Own) -> TorchRecord:
    """The record; an empty one if there is none or it is damaged."""
    try:
        told = json.loads(private_files.read(own.torch_record))
        names = [field.name for field in dataclasses.fields(TorchRecord)]
        values = {name: str(told[name]) for name in names if name != "cards"}
        cards = tuple(map(str, told["cards"]))
    except (OSError, ValueError, KeyError, TypeError):
        return TorchRecord()
    if values["device"] not in DEVICES:
        values["device"] = AUTO
    return TorchRecord(cards=cards, **values)


def write(own: Own, record: TorchRecord) -> None:
    """Store the record."""
    private_files.write(own.torch_record, json.dumps(dataclasses.asdict(record), indent=1))
