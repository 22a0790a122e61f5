"""Options of a call besides the recipe: layers that help, and how the result is delivered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MASK, ALPHA = "mask", "alpha"


@dataclass(frozen=True)
class CallOptions:
    """The options of one call.

    Attributes:
        guide: the layer whose features the dream takes on; None without one.
        strength: the layer whose lightness is each pixel's dream strength; None without one.
        dream_map: the layer whose colours the recipe's `bind` names; None without one.
        selection_as: what the selection becomes on the new layer, MASK or ALPHA.
        canvas_preview: whether to show the unfinished dream on the canvas.
        frames: whether to dream on all layers of the image, as the frames of an animation.
        carry: how much of the previous frame's dream each frame starts from, 0 to 1.
    """

    guide: Any = None
    strength: Any = None
    dream_map: Any = None
    selection_as: str = MASK
    canvas_preview: bool = False
    frames: bool = False
    carry: float = 0.5


@dataclass(frozen=True)
class Option:
    """One row of the table of options.

    Attributes:
        name: its attribute in `CallOptions`.
        argument: its argument in GIMP's procedure.
        label: the label of its control.
        help: one or two sentences about it, for the user.
        default: None for a layer; a number is between 0 and 1.
        choices: the allowed values of a text, and their labels.
    """

    name: str
    argument: str
    label: str
    help: str
    default: str | bool | float | None = None
    choices: tuple[tuple[str, str], ...] = ()


OPTIONS = (
    Option(
        "guide",
        "guide",
        "Guide",
        "A layer whose features the dream takes on. Network layer must ask for it: 10:guide matches"
        " the guide place by place, 10:cosine its overall look.",
    ),
    Option(
        "strength",
        "strength-map",
        "Strength map",
        "The lightness of this layer controls how strongly each pixel dreams: fully where it is"
        " white, not at all where it is black or transparent.",
    ),
    Option(
        "dream_map",
        "map",
        "Dream map",
        "A layer painted with a few flat colours. Map colours says what each of them grows; where"
        " the map has none of them, or is transparent, nothing is dreamed.",
    ),
    Option(
        "selection_as",
        "selection-as",
        "Selection becomes",
        "What the selection becomes on the new layer: mask makes a layer mask, which you can paint"
        " on later; alpha makes the rest of the layer transparent.",
        MASK,
        ((MASK, "Layer mask"), (ALPHA, "Transparency")),
    ),
    Option(
        "canvas_preview",
        "canvas-preview",
        "Show on the canvas",
        "Show the dream on the canvas while it develops. Works for one layer and up to 4"
        " megapixels. Cancelling such a dream leaves two steps in the undo history: its layer was"
        " added and removed.",
        False,
    ),
    Option(
        "frames",
        "frames",
        "All layers as frames",
        "Dream on all layers of the image with the same seed, as the frames of an animation. The"
        " result is a new image.",
        False,
    ),
    Option(
        "carry",
        "carry",
        "Frame to frame",
        "How much of the previous frame's dream each frame starts from: with 0 the dream flickers,"
        " with 1 it grows from frame to frame.",
        0.5,
    ),
)
