"""The one table of parameters: everything that can be said about a dream is a field of `Recipe`.

The command line's options, Krita's widgets, GIMP's procedure arguments, the daemon's validation
and the recipe stored with a picture are all made from `PARAMETERS`. To add a parameter, add a
field here and obey it in the engine (or in `blend.py`); nothing else needs to know.
"""

from __future__ import annotations

import dataclasses
import difflib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from .errors import RecipeError, shortened
from .expression import Expression, parse

__all__ = ["PARAMETERS", "SEED_MAX", "Parameter", "Recipe", "RecipeError", "Value"]

CHANNELS = re.compile(r"\s*\d+\s*(?:,\s*\d+\s*)*", re.ASCII)
SEED_MAX = 2**31 - 1  # GIMP's integer arguments have 32 bits, with a sign
Value = int | float | bool | str


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    `minimum`, `maximum` and `step` (the increment of a spin box) are None for texts and switches;
    `main` tells whether a front end shows the parameter at once or folds it under "More". A text
    with `choices` is one of them. `live` parameters only say how the finished dream is laid over
    the picture: they can be changed afterwards, without dreaming again.
    """

    name: str
    kind: type
    label: str
    help: str
    default: Value
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    unit: str = ""
    main: bool = False
    live: bool = False
    choices: tuple[str, ...] = ()

    def check(self, value: object) -> Value:
        """Return `value` as this parameter's type, or raise RecipeError with one sentence."""
        if self.kind is bool:
            if isinstance(value, bool):
                return value
            raise RecipeError(f"{self.name} is either on or off, not {value!r}.")
        if self.choices:
            if isinstance(value, str) and value in self.choices:
                return value
            raise RecipeError(f"{self.name} is {_either(self.choices)}, not {value!r:.60}.")
        if self.kind is str:
            if isinstance(value, str) and len(value) <= 1000 and value.isprintable():
                return value
            raise RecipeError(f"{self.name} is a text of up to 1000 characters, not {value!r:.60}.")
        return self._check_number(value)

    def _check_number(self, value: object) -> Value:
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is None or (self.kind is int and number % 1 != 0):  # NaN and infinity too
            noun = "a whole number" if self.kind is int else "a number"
            raise RecipeError(f"{self.name} is {noun}, not {value!r:.60}.")
        low, high = self.minimum, self.maximum
        if low is None or high is None or not low <= number <= high:
            raise RecipeError(f"{self.name} is between {low:g} and {high:g}, not {value!r:.60}.")
        return int(number) if self.kind is int else float(number)

    def parse(self, text: str) -> Value:
        """The value that a person typed; raises RecipeError."""
        if self.kind is str:
            return self.check(text)
        if self.kind is bool:
            words = {"on": True, "yes": True, "true": True, "off": False, "no": False}
            return self.check({**words, "false": False}.get(text.strip().lower(), text))
        try:
            return self.check(self.kind(text))
        except (ValueError, OverflowError) as error:
            if isinstance(error, RecipeError):
                raise
            return self.check(text)


def _row(default: Value, label: str, help_text: str, **more: Any) -> Any:
    return dataclasses.field(default=default, metadata={"label": label, "help": help_text, **more})


@dataclass(frozen=True)
class Recipe:
    """What to dream. Make one with `Recipe.of`, which checks everything."""

    model: str = _row(
        "squeezenet1_1", "Network", "The neural network that dreams. See: dreamlayer models."
    )
    layer: str = _row(
        "features.10",
        "Network layer",
        "What is amplified: a layer by name (features.10) or index (10), a channel of it (10:30), a"
        " thing by name (class:castle); several with weights, + and -: 10:30 + 12*0.5 - 3. Early"
        " layers draw strokes and textures, late ones animals and things. See: dreamlayer layers"
        " MODEL.",
        main=True,
    )
    channels: str = _row(
        "",
        "Channels",
        "Amplify only these channels of the layer, e.g. 30 or 30,115. Empty: the whole layer.",
        main=True,
    )
    pooling: str = _row(
        "max",
        "Pooling",
        "How the network passes on what it finds: max as it was trained, average for smoother,"
        " more even shapes.",
        choices=("max", "average"),
    )
    start: str = _row(
        "picture",
        "Start from",
        "Dream into the picture, or into noise: then the whole area is filled with what the network"
        " imagines, and what was there is covered. Works on an empty layer.",
        choices=("picture", "noise"),
    )
    octaves: int = _row(
        4,
        "Octaves",
        "How many sizes of the picture are dreamed on, from coarse to fine. More octaves make"
        " larger shapes.",
        minimum=1, maximum=16, step=1, main=True,
    )  # fmt: skip
    octave_scale: float = _row(
        1.4,
        "Octave scale",
        "The ratio of one octave's size to the next.",
        minimum=1.05, maximum=3.0, step=0.05,
    )  # fmt: skip
    supersample: int = _row(
        0,
        "Octaves above",
        "How many of the octaves are larger than the picture itself. They are reduced again in the"
        " end: finer strokes, for several times the time.",
        minimum=0, maximum=3, step=1,
    )  # fmt: skip
    steps: int = _row(
        10,
        "Steps",
        "Gradient steps in each octave. More steps dream deeper and take longer.",
        minimum=1, maximum=500, step=1, main=True,
    )  # fmt: skip
    step_size: float = _row(
        1.0,
        "Step size",
        "How far one step changes the picture, in levels of 255 (the mean over the pixels).",
        minimum=0.01, maximum=50.0, step=0.1, unit="/255",
    )  # fmt: skip
    smooth: float = _row(
        0.8,
        "Smooth",
        "How far each step is blurred. 0 gives fine grain, 1 to 2 large soft strokes.",
        minimum=0.0, maximum=8.0, step=0.1, unit="px",
    )  # fmt: skip
    conditioning: str = _row(
        "plain",
        "Conditioning",
        "How each step weighs coarse against fine: plain as the network says, laplacian all scales"
        " alike, spectral as in natural pictures.",
        choices=("plain", "laplacian", "spectral"),
    )
    tv: float = _row(
        0.0,
        "Calm",
        "How strongly grain in what is dreamed is flattened (total variation).",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    stay: float = _row(
        0.0,
        "Stay near",
        "How strongly the dream is drawn back to the picture while it is dreamed.",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    roll: bool = _row(
        True,
        "Roll",
        "Shift the network's grid by a random amount before each step, so that it leaves no"
        " pattern of dots.",
    )
    wrap: bool = _row(
        False,
        "Seamless",
        "Let the dream run on across the edges, left into right and top into bottom, so that a"
        " texture stays tileable. Without a selection only.",
    )
    noise: float = _row(
        0.0,
        "Noise",
        "Standard deviation of the noise that the network sees on the picture (SmoothGrad), as a"
        " part of the whole range; smaller octaves get less. 0.03 to 0.1 gives larger, cleaner"
        " strokes.",
        minimum=0.0, maximum=1.0, step=0.01,
    )  # fmt: skip
    noise_samples: int = _row(
        1,
        "Noise samples",
        "How many noisy copies are averaged in each step. Time grows with it.",
        minimum=1, maximum=64, step=1,
    )  # fmt: skip
    tile: int = _row(
        0,
        "Tile",
        "Side of the pieces that the picture is computed in, in pixels; 0 chooses. Changes time"
        " and memory, never the picture.",
        minimum=0, maximum=8192, step=64, unit="px",
    )  # fmt: skip
    context: int = _row(
        96,
        "Surroundings",
        "How far around a selection the network sees.",
        minimum=0, maximum=1024, step=16, unit="px",
    )  # fmt: skip
    seed: int = _row(
        0,
        "Seed",
        "The same seed gives the same picture again. 0 draws a new one each time.",
        minimum=0, maximum=SEED_MAX, step=1, main=True,
    )  # fmt: skip
    strength: float = _row(
        1.0,
        "Strength",
        "How much of the dream is added to the picture: 0 nothing, 1 all of it.",
        minimum=0.0, maximum=2.0, step=0.05, main=True, live=True,
    )  # fmt: skip
    colour: str = _row(
        "full",
        "Colours",
        "Which colours the dream brings: full all of them, capped hardly stronger ones than the"
        " picture has, luminance only light and dark, source light and dark in the picture's own"
        " colours as the eye sees them (OKLab).",
        choices=("full", "capped", "luminance", "source"), main=True, live=True,
    )  # fmt: skip
    feather: float = _row(
        0.0,
        "Feather",
        "How far the edge of a selection is softened.",
        minimum=0.0, maximum=500.0, step=1.0, unit="px", live=True,
    )  # fmt: skip
    soft_clip: bool = _row(
        True,
        "Soft clip",
        "Let the dream fade towards black and white instead of burning out.",
        live=True,
    )
    dither: bool = _row(
        False,
        "Dither",
        "Round to 8 bits with fine noise, so that soft gradients don't show bands.",
        live=True,
    )
    zero_mean: bool = _row(
        False,
        "Keep brightness",
        "Keep the mean colour of the picture: the dream makes it neither lighter nor darker.",
        live=True,
    )

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Recipe:
        """A checked recipe from names and values; absent ones take their default.

        Raises:
            RecipeError: unknown name, wrong type, out of range, or nothing to amplify.
        """
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in PARAMETERS:
                near = difflib.get_close_matches(str(name)[:60], PARAMETERS, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; there are: {_names()}."
                raise RecipeError(f"A recipe has no parameter {name!r:.60}{hint}")
            checked[name] = PARAMETERS[name].check(value)
        recipe = cls(**checked)
        recipe.expression()
        return recipe

    def expression(self) -> Expression:
        """What is amplified: `layer`, with `channels` if that is one plain layer.

        Raises RecipeError, with one sentence.
        """
        expression = parse(self.layer)
        if not self.channels.strip():
            return expression
        if not CHANNELS.fullmatch(self.channels):
            raise RecipeError(
                f"channels is a list of numbers such as 30 or 30,115, not {self.channels!r:.60}."
            )
        if [(weight, target.kind) for weight, target in expression.terms] != [(1.0, "squares")]:
            raise RecipeError(
                f"channels says {self.channels!r:.60} and “{shortened(self.layer, 60)}” says itself"
                " what to amplify: leave channels empty."
            )
        return parse(f"{expression.layers[0]}:{self.channels.strip()}")

    def with_seed(self) -> Recipe:
        """This recipe with a seed drawn if it has none, so that the dream can be repeated."""
        if self.seed:
            return self
        return dataclasses.replace(self, seed=random.SystemRandom().randint(1, SEED_MAX))

    def to_dict(self) -> dict[str, Value]:
        """Names and values; `Recipe.of` reads it back."""
        return dataclasses.asdict(self)


def _either(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _names() -> str:
    return ", ".join(PARAMETERS)


_KINDS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
PARAMETERS: dict[str, Parameter] = {
    f.name: Parameter(
        name=f.name, kind=_KINDS[str(f.type)], default=cast("Value", f.default), **f.metadata
    )
    for f in dataclasses.fields(Recipe)
}
