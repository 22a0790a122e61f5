"""What the daemon answers to a test: looks that the dialog must show, and what is seen."""

import time

from screen import daemon_status, rgb

from dreamlink.client.launch import connect
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.session.inputs import Pixels
from dreamlink.session.seeing import Seeing
from dreamlink.wire.messages import DreamRequest


class LayerLook:
    """The daemon's own quick dream on a part of a picture: what the preview must show."""

    def __init__(
        self, data, size, recipe, region=None, whole=None, reduced=1.0, order="RGBA", strength=None,
        dream_map=None,
    ):  # fmt: skip
        picture = Picture(*size, "U8", order)
        region = Region(*(region or picture.region))
        self.width = region.width
        self._client = connect()
        request = DreamRequest(
            Recipe.of(recipe), picture, region, edges=region.edges(whole or picture.region),
            quick=True, reduced=reduced, strength=Picture(*size, "U8", "GA") if strength else None,
            dream_map=Picture(region.width, region.height) if dream_map else None,
        )  # fmt: skip
        frames = [each for each in (data, strength, dream_map) if each]
        self._dream = self._end(Dream(self._client, request, *frames))
        self.rgb = rgb(bytes(self._dream.pixels), order)

    def blended(self, **values):
        recipe = Recipe.of({**self._dream.report["recipe"], **values})
        return rgb(bytes(self._end(self._dream.blend(recipe)).pixels))

    def close(self):
        self._client.close()

    def _end(self, asked):
        while not asked.over:
            message = self._client.receive(60)
            assert message, "the daemon is silent"
            asked.receive(*message)
        assert asked.state is State.DONE, asked.text
        return asked


def look(*arguments, **more):
    made = LayerLook(*arguments, **more)
    made.close()
    return made.rgb


def see(data, size, region=None, mask=None, order="RGBA"):
    """What the networks see in a part of a picture; an answer, as the link checks it."""
    picture = Picture(*size, "U8", order)
    question = Seeing(
        Pixels(picture, data), Region(*(region or picture.region)), mask, lambda: None
    )
    client = connect()
    question.send(client)
    while not question.over:
        message = client.receive(60)
        assert message, "the daemon is silent"
        question.receive(*message)
    client.close()
    assert question.seen is not None, question.text
    return question.seen


def dreams_done():
    return daemon_status()["done"]


def idle():
    """Whether nothing is dreamed, and nothing comes in a second: a window may just be asking."""
    for _ in range(5):
        if daemon_status()["jobs"]:
            return False
        time.sleep(0.2)
    return True
