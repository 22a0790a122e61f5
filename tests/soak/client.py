"""One client of the soak, a program that may be killed: `python -m tests.soak.client …`.

It writes a line when a job begins and one when it is answered, so that whoever has killed it knows
what it was about. The job to be fetched from a client before it, which was killed, comes first.
"""

from __future__ import annotations

import argparse
import sys
from random import Random

from dreamlink.client import launch
from dreamlink.client.reconnecting import ReconnectingClient
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, PixelRequest, State
from dreamlink.wire.messages import DreamRequest, new_id

PICTURE = Picture(24, 24, "U8", "RGB")
PIXELS = bytes(range(256)) * (PICTURE.nbytes // 256) + bytes(PICTURE.nbytes % 256)
STRENGTH = Picture(24, 24, "U8", "G")
PATIENCE = 120.0  # seconds without a word for a job that is under way: it hangs
REAL = {"layer": "features.3", "octaves": 1, "steps": 1}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--fetch", default="", help="the id of a kept dream to begin with")
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    client = _Client(Random(options.seed), options.real)
    if options.fetch:
        client.fetch(options.fetch)
    for _ in range(options.jobs):
        client.job()


class _Client:
    """A connection and the dice that say what is asked of it."""

    def __init__(self, dice: Random, real: bool) -> None:
        self._dice = dice
        self._real = real
        self._line = ReconnectingClient(launch.connect())
        self._last = new_id()  # the dream before

    def job(self) -> None:
        """One dream, with what may happen to it."""
        dice = self._dice
        if dice.random() < 0.05:  # leave and come back
            self._line.close()
            self._line = ReconnectingClient(launch.connect())
        manner = dice.choice(("plain", "plain", "plain", "quick", "keep", "cancel", "blend"))
        name = new_id()
        kept = manner == "keep"
        _say("begin", "kept" if kept else "dream", name)
        request = DreamRequest(
            self._recipe(), PICTURE, PICTURE.region, id=name, quick=manner == "quick", keep=kept,
            preview=16 * dice.randrange(2), live=dice.random() < 0.5, strength=STRENGTH,
            after=self._last, carry=dice.choice((0.0, 0.5)), zoom=dice.choice((1.0, 1.0, 1.1)),
        )  # fmt: skip
        self._last = name
        dream = Dream(self._line, request, PIXELS, bytes([200]) * STRENGTH.nbytes)
        if manner == "cancel":
            dream.cancel()
        self._follow(dream)
        if dream.state is State.DONE and manner == "blend":
            recipe = Recipe.of({**dream.report["recipe"], "strength": 0.5})
            self._follow(dream.blend(recipe))
        _say("end", dream.state.value, name)

    def fetch(self, name: str) -> None:
        """Ask for the dream that another client was killed over: there, or honestly lost."""
        request = DreamRequest(self._recipe(), PICTURE, PICTURE.region, id=name, keep=True)
        dream = Dream(_Late(self._line), request)
        dream.resume()
        self._follow(dream)
        _say("fetched", dream.state.value, name)

    def _recipe(self) -> Recipe:
        if self._real:
            return Recipe.of({**REAL, "seed": self._dice.randint(1, 1000)})
        return Recipe.of({"channels": str(self._dice.choice((1, 1, 1, 2)))})

    def _follow(self, asked: PixelRequest) -> None:
        """Take what comes until there is an answer."""
        waited = 0.0
        while not asked.over:
            before = (asked.state, asked.fraction, asked.text)
            self._line.feed(asked, 1.0)
            waited = waited + 1.0 if (asked.state, asked.fraction, asked.text) == before else 0.0
            if waited > PATIENCE:
                raise SystemExit(f"no answer: {asked.text}")
        if asked.state is State.FAILED:
            _say("failed", "with", asked.text)


class _Late:
    """Sends nothing but what comes after the request, which a dead client sent."""

    def __init__(self, line: ReconnectingClient) -> None:
        self._line = line
        self._first = True

    def send(self, header: dict[str, object], *frames: bytes) -> None:
        if not self._first:
            self._line.send(header, *frames)
        self._first = False


def _say(*words: str) -> None:
    print(" ".join(words).replace("\n", " "), flush=True)


if __name__ == "__main__":
    try:
        main()
    except ConnectionError as error:
        sys.exit(f"connection: {error}")
