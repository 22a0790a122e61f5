"""`dreamlayer see`: what networks see in a picture, ranked, with heat maps if wanted."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamlayer.daemon_client import ANSWER_WITHIN, CommandError, daemon
from dreamlayer.files.opening import PIXELS_MAX

if TYPE_CHECKING:
    from PIL import Image

    from dreamlayer.dreaming.selection import Selection
    from dreamlayer.files.reading import ImageFile
    from dreamlink.client.client import Client
    from dreamlink.picture import Region
    from dreamlink.wire.messages import Header
    from dreamlink.wire.seeing import Seen, SeenRow, SeeRequest

LONGEST = 1024  # pixels of what is sent; the networks see a few hundred of them
COUNT = 10
HELP = "say what a network sees in a picture"
TITLES = {"kinds": "Kinds of things", "channels": "Channels", "layers": "Layers"}
NEGATIVE = r"^-\d[\d,-]*$"  # a selection that begins left of the picture


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    import re

    command = commands.add_parser(
        "see", help=HELP, allow_abbrev=False,
        description="Say which channels, layers, kinds and classes answer most to a picture, or to"
        " a part of it, compared with ordinary pictures. The options behind them dream them:"
        " dreamlayer dream --model NETWORK --layer ….",
    )  # fmt: skip
    command.set_defaults(run=run)
    command._negative_number_matcher = re.compile(NEGATIVE)
    command.add_argument("input", metavar="IMAGE", type=Path, help="the picture")
    command.add_argument("--select", metavar="X,Y,W,H", help="only this rectangle, in pixels")
    command.add_argument(
        "--mask", metavar="FILE", type=Path,
        help="only where this grey picture of the same size is neither black nor transparent",
    )  # fmt: skip
    command.add_argument(
        "--model", metavar="NAME", default="",
        help="the network (default: both that are part of Dreamlayer)",
    )  # fmt: skip
    command.add_argument(
        "--layer", metavar="NAME", action="append", default=[],
        help="only this layer of the network, by name or number; may be given several times",
    )  # fmt: skip
    command.add_argument(
        "--count", metavar="N", type=int, default=COUNT,
        help=f"how many rows each list has (default {COUNT})",
    )  # fmt: skip
    command.add_argument(
        "-o", "--output", metavar="SHEET", type=Path,
        help="write a sheet with heat maps and pictures of the strongest: .png, .jpg or .webp",
    )  # fmt: skip
    command.add_argument("--overwrite", action="store_true", help="let the sheet replace a file")
    command.add_argument(
        "--pixels-max", metavar="MEGAPIXELS", type=int, default=PIXELS_MAX,
        help=f"refuse a larger picture or mask (default {PIXELS_MAX})",
    )  # fmt: skip
    command.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Ask the daemon what it sees in a picture file, and print or draw it."""
    from dreamlayer.cli.ending import ended_in_order
    from dreamlayer.files.memory import told

    with ended_in_order(), told("this picture"):
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    from dreamlayer.cli.seeing import sheet
    from dreamlayer.dreaming import selection
    from dreamlayer.files import reading

    rectangle = selection.rectangle_of(arguments.select) if arguments.select else None
    if arguments.output is not None:
        sheet.check(arguments.output, arguments.input, overwrite=arguments.overwrite)
    source = reading.read(arguments.input, arguments.pixels_max)
    size = source.image.size
    mask = reading.read_mask(arguments.mask, size, arguments.pixels_max) if arguments.mask else None
    selected = selection.select(size, rectangle, mask.image if mask else None)
    sent = _Sent.of(source, selected)
    request = sent.request(arguments)
    with contextlib.closing(daemon()) as client:
        header, seen = _ask(client, request, sent.frames())
    if arguments.output is not None:
        sheet.write(arguments.output, sent.picture, sent.region, seen)
    if arguments.json:
        print(json.dumps(_described(header, seen, sent, arguments.output)))
    else:
        print("\n".join(_lines(seen)))


class _Sent:
    """What is sent: the selection and its surroundings, reduced, in 8 bits.

    Attributes:
        picture: mode RGB or RGBA.
        region: the part of it that is asked about.
        around: the part of the file's picture that it shows.
    """

    def __init__(
        self, picture: Image.Image, around: Region, region: Region, mask: Image.Image | None
    ) -> None:
        self.picture = picture
        self.around = around
        self.region = region
        self._mask = mask

    @classmethod
    def of(cls, source: ImageFile, selected: Selection) -> _Sent:
        """Crop and reduce; as much is sent around the selection as a half of its longer side."""
        from PIL import Image

        from dreamlayer.files.reading import eight_bits
        from dreamlink.picture import Region

        whole, region = Region(0, 0, *source.image.size), selected.region
        around = selected.with_context(whole, max(region.width, region.height) // 2)
        box = (around.x, around.y, around.x + around.width, around.y + around.height)
        part = eight_bits(source.crop(box))
        picture = part.convert("RGBA" if part.mode in ("RGBA", "LA") else "RGB")
        scale = min(1.0, LONGEST / max(around.width, around.height))
        size = tuple(max(1, round(side * scale)) for side in picture.size)
        inside = region.moved(-around.x, -around.y)
        left, top = (int(inside.x * scale), int(inside.y * scale))
        right = min(size[0], max(left + 1, round((inside.x + inside.width) * scale)))
        bottom = min(size[1], max(top + 1, round((inside.y + inside.height) * scale)))
        smaller = Region(left, top, right - left, bottom - top)
        mask = selected.mask
        if mask is not None:
            mask = mask.resize((smaller.width, smaller.height), Image.Resampling.BOX)
        if scale < 1:
            picture = picture.resize((size[0], size[1]), Image.Resampling.BOX, reducing_gap=3.0)
        return cls(picture, around, smaller, mask)

    def request(self, arguments: argparse.Namespace) -> SeeRequest:
        from dreamlink.picture import Picture
        from dreamlink.wire.seeing import SeeRequest

        layout = Picture(*self.picture.size, "U8", self.picture.mode)
        model, layers = arguments.model or _default(arguments.layer), tuple(arguments.layer)
        thumbnails = arguments.output is not None
        return SeeRequest(
            layout, self.region, self._mask is not None, model, layers, arguments.count, thumbnails
        )

    def frames(self) -> list[bytes]:
        mask = [] if self._mask is None else [self._mask.tobytes()]
        return [self.picture.tobytes(), *mask]

    def place(self, row: SeenRow) -> list[int]:
        """Where a row is strongest, in pixels of the file's picture."""
        x = row.place[0] * self.around.width / self.picture.width
        y = row.place[1] * self.around.height / self.picture.height
        return [self.around.x + int(x), self.around.y + int(y)]


def _default(layers: list[str]) -> str:
    """The network that layers belong to if none is named."""
    from dreamlayer.cli.models import DEFAULT

    return DEFAULT if layers else ""


def _ask(client: Client, request: SeeRequest, frames: list[bytes]) -> tuple[Header, Seen]:
    """The daemon's answer; Ctrl-C cancels the request. Raises CommandError."""
    from dreamlink.wire.seeing import Seen

    client.send(request.header(), *frames)
    end = time.monotonic() + ANSWER_WITHIN
    try:
        while (left := end - time.monotonic()) > 0:
            message = client.receive(left)
            if message is None or message[0].get("id") != request.id:
                continue
            header = message[0]
            if header["op"] == "seen":
                return header, Seen.of(header, message[1])
            if header["op"] == "error":
                raise CommandError(str(header.get("text")))
            raise CommandError("The daemon has cancelled this: try again.")
    except KeyboardInterrupt:
        client.send({"op": "cancel", "id": request.id})
        raise
    raise CommandError("The Dreamlayer daemon does not answer.")


def _described(header: Header, seen: Seen, sent: _Sent, output: Path | None) -> Header:
    """The JSON object: the lists, with places in the file's picture, without the heat maps."""
    fields: Header = {
        name: [
            {
                "address": row.address, "model": row.model, "layer": row.expression,
                "name": row.name, "score": round(row.score, 3), "peak": round(row.peak, 3),
                "place": sent.place(row),
            }
            for row in getattr(seen, name)
        ]
        for name in TITLES
    }  # fmt: skip
    fields["classes"] = [
        {"model": row.model, "number": row.number, "name": row.name,
         "probability": round(row.probability, 4)}
        for row in seen.classes
    ]  # fmt: skip
    fields["together"] = [{"model": row.model, "layer": row.expression} for row in seen.together]
    fields |= {"seconds": header.get("seconds"), "notes": list(seen.notes)}
    return {**fields, "output": None if output is None else str(output)}


def _lines(seen: Seen) -> list[str]:
    lines = list(seen.notes)
    if seen.classes:
        named = (f"{row.name} {row.probability:.0%}" for row in seen.classes)
        lines.append(f"It is taken for: {', '.join(named)}.")
    for name, title in TITLES.items():
        rows: tuple[SeenRow, ...] = getattr(seen, name)
        if rows:
            lines += ["", f"{title}, and how far above usual they are:"]
            width = max(len(row.address) for row in rows)
            lines += [
                f"  {row.score:6.2f}  {row.address.ljust(width)}  --layer {_quoted(row.expression)}"
                for row in rows
            ]
    lines += ["", "All of these channels in one dream:"]
    lines += [f'  --model {row.model} --layer "{row.expression}"' for row in seen.together]
    return lines if lines and lines[0] else lines[1:]


def _quoted(expression: str) -> str:
    return f'"{expression}"' if " " in expression else expression
