"""A dream's layer in the stack: at strength 0 it must not change what is seen.

The dream takes over the blend mode, opacity and clipping of the layer below it: its source, or the
earlier dream that it repeats. Unless that layer hides all that is below it, both together would
count twice: so it is hidden if the dream covers it, in the same undo step.
"""

from __future__ import annotations

from typing import Any

from gi.repository import Gimp

from dreamlink.session import layer_notes

from ..call.errors import CallRefused
from .source import DrawableSource

NORMAL = (Gimp.LayerMode.NORMAL, Gimp.LayerMode.NORMAL_LEGACY)
OUTSIDE_CLEARED = (Gimp.LayerCompositeMode.CLIP_TO_LAYER, Gimp.LayerCompositeMode.INTERSECTION)


def check(source: DrawableSource) -> None:
    """Raise CallRefused if the layer below the dream would have to be hidden, but can't be."""
    below = source.below
    if below.get_lock_visibility() and hides_below(source):
        raise CallRefused(
            f"The visibility of the layer “{below.get_name()}” is locked, but its dream would take"
            " its place: unlock it in the Layers dialog, then call Deep Dream again."
        )


def take_over(source: DrawableSource, layer: Any) -> None:
    """Give the dream, which is in no image yet, the place of the layer below it."""
    below = source.below
    layer.set_mode(below.get_mode())  # first of all: it resets the others
    layer.set_blend_space(below.get_blend_space())
    layer.set_composite_space(below.get_composite_space())
    composite = below.get_composite_mode()
    if composite in OUTSIDE_CLEARED and not source.covers:
        # The dream of a part would clear what is around it.
        composite = Gimp.LayerCompositeMode.CLIP_TO_BACKDROP
    layer.set_composite_mode(composite)
    layer.set_opacity(below.get_opacity())
    layer.set_visible(_visible(source))


def hides_below(source: DrawableSource) -> bool:
    """Whether the layer below the dream has to be hidden."""
    return source.covers and _counts_twice(source)


def settle(source: DrawableSource) -> list[str]:
    """Hide the layer below the dream if both would count twice; notes for the user."""
    below, name = source.below, source.below.get_name()
    if not _visible(source):
        return [layer_notes.dream_hidden_too(name)]
    if hides_below(source):
        below.set_visible(False)
        if below == source.drawable:
            return [layer_notes.hidden_for_dream(name)]
        return [layer_notes.hidden_for_new_dream(name)]
    if _counts_twice(source):
        mode = below.get_mode()
        other = None if mode in NORMAL else _mode_name(mode)
        return [layer_notes.counts_twice(name, other, below.get_opacity())]
    return []


def _visible(source: DrawableSource) -> bool:
    """A new dream in place of an earlier one is seen although that was put aside."""
    return bool(source.below.get_visible() or source.drawable.get_visible())


def _counts_twice(source: DrawableSource) -> bool:
    """Whether what is below the layer below the dream shines through it."""
    below = source.below
    return bool(
        below.get_visible()
        and not (below.get_mode() in NORMAL and below.get_opacity() == 100 and source.opaque)
    )


def _mode_name(mode: Any) -> str:
    """E.g. "Multiply"."""
    names = (name for name in dir(Gimp.LayerMode) if name.isupper())
    name = next((name for name in names if getattr(Gimp.LayerMode, name) == mode), "another mode")
    return name.removesuffix("_LEGACY").replace("_", " ").capitalize()
