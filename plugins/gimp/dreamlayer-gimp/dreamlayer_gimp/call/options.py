"""What a call says besides the recipe: which layers help, and how the dream comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MASK, ALPHA = "mask", "alpha"


@dataclass(frozen=True)
class Options:
    """One call's options.

    Attributes:
        guide: the layer whose looks the dream takes on; None without one.
        strength: the layer whose light says how strongly each pixel dreams; None without one.
        selection_as: what the selection becomes on the new layer, MASK or ALPHA.
        canvas_preview: whether the unfinished dream is shown on the canvas.
        frames: whether all layers of the image dream, as the frames of an animation.
        carry: how much of the frame before's dream each frame starts from, 0 to 1.
    """

    guide: Any = None
    strength: Any = None
    selection_as: str = MASK
    canvas_preview: bool = False
    frames: bool = False
    carry: float = 0.5


@dataclass(frozen=True)
class Option:
    """One row of the table of options.

    Attributes:
        name: how `Options` calls it.
        argument: how the procedure calls it.
        label: the control's name.
        help: one sentence or two about it.
        default: None for a layer; a number's limits are 0 and 1.
        choices: the words that are allowed, and how each is shown.
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
        "The dream takes on what this layer shows, where Network layer says so: 10:guide dreams of"
        " what it has, 10:cosine of how it looks.",
    ),
    Option(
        "strength",
        "strength-map",
        "Strength map",
        "The light of this layer says how strongly each pixel dreams: white fully, black or"
        " transparent not at all.",
    ),
    Option(
        "selection_as",
        "selection-as",
        "Selection becomes",
        "What the selection becomes on the new layer: mask a layer mask that can be painted on"
        " later, alpha the layer's own transparency.",
        MASK,
        ((MASK, "Layer mask"), (ALPHA, "Transparency")),
    ),
    Option(
        "canvas_preview",
        "canvas-preview",
        "Show on the canvas",
        "Show the dream on the canvas while it grows, if it is of one layer and of up to 4"
        " megapixels. A dream that is then cancelled leaves two"
        " steps in the undo history: its layer came and went.",
        False,
    ),
    Option(
        "frames",
        "frames",
        "All layers as frames",
        "Let all layers of the image dream with the same seed, as the frames of an animation. The"
        " dreamed animation becomes an image of its own.",
        False,
    ),
    Option(
        "carry",
        "carry",
        "Frame to frame",
        "How much of the dream of the frame before each frame starts from: 0 nothing, so that the"
        " dream flickers, 1 all of it, so that it grows from frame to frame.",
        0.5,
    ),
)
