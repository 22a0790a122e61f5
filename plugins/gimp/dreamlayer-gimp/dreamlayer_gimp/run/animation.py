"""Animations: a dream on all layers of an image, as a new image.

GIMP plays an image's layers from the bottom to the top, each for the time in its name, "(100ms)",
either drawn over the previous frame, "(combine)", or in place of it, "(replace)". A dream inserted
above each layer would be played as one more frame. So, as with Filters > Animation > Unoptimize,
the result is a new image of whole frames, which is also what the network has to see.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gi.repository import Gimp

from dreamlink.client.reconnecting import ReconnectingClient
from dreamlink.picture import Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import layer_name
from dreamlink.session.film_options import frame_fields

from ..call.errors import CallRefused
from ..call.options import ALPHA, CallOptions
from ..layers import buffers, dream_store, lossless
from ..layers.source import DrawableSource
from .dream import dream
from .progress import PartialProgress, ProgressDisplay

COMBINE, REPLACE = "(combine)", "(replace)"  # as GIMP writes them


def dream_all(
    client: ReconnectingClient,
    image: Any,
    recipe: Recipe,
    options: CallOptions,
    progress: ProgressDisplay,
) -> tuple[Any, list[str]]:
    """The dreamed animation as a new image without a display, and notes for the user.

    All frames have the same seed, and each starts from the dream of the previous one.

    Raises CallRefused, Cancelled, LinkError: then there is no new image.
    """
    recipe, options = recipe.with_seed(), replace(options, selection_as=ALPHA)
    notes: dict[str, None] = {}  # each only once
    previous = ""
    with _frames_image(image, options) as film:
        frames = film.get_layers()[::-1]
        for index, frame in enumerate(frames):
            if _is_empty(frame):
                continue
            part = PartialProgress(progress, index, len(frames), "Frame")
            source = DrawableSource.of(film, frame, recipe, options)
            fields = frame_fields(previous, options.carry)
            dreamed = dream(client, source, recipe, part, clip=False, **fields)
            assert dreamed.pixels is not None
            notes.update(dict.fromkeys(dreamed.notes))
            previous = dreamed.request.id
            lossless.write(frame, source.region, source.form, dreamed.pixels)
            used = Recipe.of(dreamed.report.get("recipe", {}))
            frame.set_name(layer_name(frame.get_name(), used))
            dream_store.store(frame, used, frame, options)
    return film, list(notes)


@contextlib.contextmanager
def _frames_image(image: Any, options: CallOptions) -> Iterator[Any]:
    """A copy of the image whose layers are whole frames; deleted if the dream fails."""
    inputs = [options.guide, options.strength, options.dream_map]
    chosen = [index for index, layer in enumerate(image.get_layers()) if layer not in inputs]
    if len(chosen) < 2:
        raise CallRefused(
            "An animation has several layers, one for each frame, but this image has only one: open"
            " an animation, or switch off “All layers as frames”."
        )
    if image.get_floating_sel() is not None:
        raise CallRefused(
            "The image has a floating selection: anchor it or make it a layer of its own, then"
            " call Deep Dream again."
        )
    film = image.duplicate()
    try:
        film.undo_disable()
        if film.get_base_type() == Gimp.ImageBaseType.INDEXED:  # e.g. from a GIF file
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
    """Add whole frames, as they are seen when the layers are played; the first frame first."""
    for layer in film.get_layers():
        layer.set_visible(False)
    whole = []
    for layer in layers:
        name = layer.get_name()
        if REPLACE in name:
            for shown in layers:
                shown.set_visible(False)
        layer.set_visible(True)
        title = name.replace(COMBINE, "").replace(REPLACE, "").strip()
        whole.append(Gimp.Layer.new_from_visible(film, film, f"{title} {REPLACE}"))
    for frame in whole:
        film.insert_layer(frame, None, 0)


def _is_empty(frame: Any) -> bool:
    """Whether the frame is fully transparent where it would dream."""
    _, *box = frame.mask_intersect()
    alpha = buffers.read(frame.get_buffer(), Region(*box), "A u8")
    return alpha.count(0) == len(alpha)
