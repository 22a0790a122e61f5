"""What one input of a coverage-guided fuzzer goes through: both sides' parsing, in this process.

`guided.py` runs them under atheris, `test_fuzz.py` with the corpus that it has found. Each takes
any bytes and raises nothing, unless something is wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream
from dreamlink.wire.chunks import announced
from dreamlink.wire.messages import (
    BlendRequest,
    DreamRequest,
    Frame,
    Header,
    MessageError,
    pack,
    unpack,
)
from dreamlink.wire.zmtp import Dealer, ZmtpError
from tests.fuzz import wire

CORPUS = Path(__file__).parent / "corpus"
LIMIT = 1 << 16  # bytes of a message
ID = "0123456789abcdef"
WELCOMED = (
    wire.greeting(server=True) + wire.command(b"WELCOME") + wire.metadata(b"READY", b"ROUTER")
)
PICTURE = Picture(2, 2, "U8", "RGB")
RECIPE = Recipe.of({})


def feed(dealer: Dealer, data: bytes) -> None:
    """Give a Dealer bytes as if they had been read from a socket."""
    view = memoryview(data)
    while view:
        wanted = dealer.wanted()
        count = min(len(wanted), len(view))
        wanted[:count] = view[:count]
        del wanted  # what somebody looks at can't grow
        dealer.received(count)
        view = view[count:]


def zmtp(data: bytes) -> None:
    """The client's parser of ZMTP, from the greeting on."""
    dealer = Dealer("dreamlayer", "token", LIMIT)
    with contextlib.suppress(ZmtpError):
        feed(dealer, data)
    for message in dealer.messages:
        assert dealer.ready
        assert sum(len(frame) for frame in message) <= LIMIT


def answer(data: bytes) -> None:
    """What comes to a greeted client: frames, their header, and what a dream makes of it."""
    dealer = Dealer("dreamlayer", "token", LIMIT)
    feed(dealer, WELCOMED)
    with contextlib.suppress(ZmtpError):
        feed(dealer, data)
    dream = Dream(_Mute(), DreamRequest(RECIPE, PICTURE, PICTURE.region, id=ID), bytes(12))
    for packed, *frames in dealer.messages:
        with contextlib.suppress(MessageError):
            dream.receive(unpack(packed), frames)
    assert 0 <= dream.fraction <= 1
    assert dream.text
    assert dream.pixels is None or len(dream.pixels) == 12


def header(data: bytes) -> None:
    """What the daemon does with a header before anything is allocated."""
    with contextlib.suppress(ValueError):  # every error that is told to the user is one
        fields = unpack(data)
        lengths = announced(fields)
        if fields["op"] == "blend":
            BlendRequest.read(fields)
            return
        request = DreamRequest.announced(fields, lengths)
        # What passed can be said again, and is small enough to be looked at.
        again = unpack(pack(request.header()))
        assert DreamRequest.announced(again, lengths) == request, request
        assert sum(lengths) < 1 << 45


class _Mute:
    def send(self, header: Mapping[str, object], *frames: Frame) -> None:
        """Nobody listens."""


HARNESSES: dict[str, Callable[[bytes], None]] = {"zmtp": zmtp, "answer": answer, "header": header}


def seeds(name: str) -> list[bytes]:
    """Valid inputs, for a corpus to grow from."""
    hello: Header = {"op": "hello", "id": ID, "protocol": 1, "version": "0", "pid": 1}
    progress = {"op": "progress", "id": ID, "fraction": 0.5, "octave": 1, "octaves": 4, "step": 1,
                "steps": 9, "remaining": 2.5}  # fmt: skip
    preview = {**progress, "preview": {"width": 2, "height": 1, "depth": "U8", "order": "RGB"}}
    done = {"op": "done", "id": ID, "seconds": 1.5, "recipe": {"seed": 7, "layer": "10:30"}}
    dream = DreamRequest(RECIPE, PICTURE, PICTURE.region, mask=True, id=ID).header()
    mapped = {**dream, "strength": PICTURE.to_dict(), "live": True, "after": ID, "carry": 0.5}
    guided = {**dream, "guide": PICTURE.to_dict(), "edges": [True] * 4, "mask": False}
    if name == "header":
        return [
            pack({**dream, "frames": [12, 4]}),
            pack({**guided, "frames": [12, 12], "recipe": {"layer": "10:guide + class:castle"}}),
            pack({**mapped, "frames": [12, 4, 12], "zoom": 1.05}),
            pack({"op": "blend", "id": ID, "of": ID, "recipe": {"strength": 0.5}}),
        ]
    answers = [
        wire.message([pack({"op": "queued", "id": ID, "ahead": 2})]),
        wire.message([pack(progress)]) + wire.message([pack(preview), bytes(6)]),
        wire.message([pack({**progress, "live": True}), bytes(12)]),
        wire.message([pack(done), bytes(12)]),
        wire.message([pack({"op": "error", "id": ID, "text": "No."})]),
        wire.command(b"PING", b"\0\0context") + wire.message([pack({"op": "cancelled", "id": ID})]),
    ]
    if name == "answer":
        return answers
    return [WELCOMED + wire.message([pack(hello)]) + b"".join(answers)]
