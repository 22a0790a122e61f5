"""An animation's frames: all layers of an image dream, into an image of their own.

GIMP plays an image's layers from the lowest to the topmost, each for the time that its name says,
"(100ms)", and lays it over what was there, "(combine)", or shows it alone, "(replace)". A dream
above each layer would play as a frame more. So, as with Filters > Animation > Unoptimize, the
result is a new image: whole frames, which is also what the network has to see.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gi.repository import Gimp

from dreamlink.client.reconnecting import Line
from dreamlink.picture import Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import layer_name
from dreamlink.session.film_options import frame_fields

from ..call.errors import Refused
from ..call.options import ALPHA, Options
from ..layers import buffers, dream_store, lossless
from ..layers.source import Source
from .dream import dream
from .progress import Part, Progress

COMBINE, REPLACE = "(combine)", "(replace)"  # as GIMP writes them


def dream_all(
    line: Line, image: Any, recipe: Recipe, options: Options, progress: Progress
) -> tuple[Any, list[str]]:
    """The dreamed animation as a new image that no display shows, and notes for the user.

    All frames have the same seed, and each goes on from the dream of the one before.

    Raises Refused, Cancelled, LinkError: then there is no new image.
    """
    recipe, options = recipe.with_seed(), replace(options, selection_as=ALPHA)
    notes: dict[str, None] = {}  # each once
    before = ""
    with _film(image, options) as film:
        frames = film.get_layers()[::-1]
        for index, frame in enumerate(frames):
            if _is_empty(frame):
                continue
            part = Part(progress, index, len(frames), "Frame")
            looked = Source.of(film, frame, recipe, options)
            fields = frame_fields(before, options.carry)
            dreamed = dream(line, looked, recipe, part, clip=False, **fields)
            assert dreamed.pixels is not None
            notes.update(dict.fromkeys(dreamed.notes))
            before = dreamed.request.id
            lossless.write(frame, looked.region, looked.form, dreamed.pixels)
            used = Recipe.of(dreamed.report.get("recipe", {}))
            frame.set_name(layer_name(frame.get_name(), used))
            dream_store.keep(frame, used, frame, options)
    return film, list(notes)


@contextlib.contextmanager
def _film(image: Any, options: Options) -> Iterator[Any]:
    """A copy of the image with whole frames as its layers, deleted if something goes wrong."""
    helpers = [options.guide, options.strength]
    chosen = [index for index, layer in enumerate(image.get_layers()) if layer not in helpers]
    if len(chosen) < 2:
        raise Refused(
            "An animation has several layers, each of them a frame, but here is only one: open an"
            " animation, or switch off “All layers as frames”."
        )
    if image.get_floating_sel() is not None:
        raise Refused(
            "The image has a floating selection: anchor it or make it a layer of its own, then"
            " call Deep Dream again."
        )
    film = image.duplicate()
    try:
        film.undo_disable()
        if film.get_base_type() == Gimp.ImageBaseType.INDEXED:  # as those from GIF files are
            film.convert_rgb()
        layers = film.get_layers()
        _make_whole(film, [layers[index] for index in reversed(chosen)])
        for layer in layers:
            film.remove_layer(layer)
        yield film
        film.undo_enable()
        film.clean_all()
    except BaseException:
        film.delete()
        raise


def _make_whole(film: Any, layers: list[Any]) -> None:
    """Add what is seen of an animation's layers, the first frame first, as whole frames."""
    for layer in film.get_layers():
        layer.set_visible(False)
    whole = []
    for layer in layers:
        name = layer.get_name()
        if REPLACE in name:
            for shown in layers:
                shown.set_visible(False)
        layer.set_visible(True)
        told = name.replace(COMBINE, "").replace(REPLACE, "").strip()
        whole.append(Gimp.Layer.new_from_visible(film, film, f"{told} {REPLACE}"))
    for frame in whole:
        film.insert_layer(frame, None, 0)


def _is_empty(frame: Any) -> bool:
    """Whether nothing of the frame is to be seen where it would dream."""
    _, *box = frame.mask_intersect()
    alpha = buffers.read(frame.get_buffer(), Region(*box), "A u8")
    return alpha.count(0) == len(alpha)
