"""The table of parameters: everything that can be chosen about a dream is a field of `Recipe`.

The command line's options, Krita's widgets, GIMP's procedure arguments, the daemon's validation
and the recipe stored with a picture are all made from `PARAMETERS`. To add a parameter, add a
field here and implement it in the engine (or in `blend.py`); nothing else has to change.
"""

from __future__ import annotations

import dataclasses
import difflib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from .address import parse_address
from .bindings import Binding, parse_bindings
from .errors import RecipeError, shortened
from .expression import Expression, parse

__all__ = ["PARAMETERS", "SEED_MAX", "Parameter", "Recipe", "RecipeError", "Value"]

CHANNELS = re.compile(r"\s*\d+\s*(?:,\s*\d+\s*)*", re.ASCII)
SEED_MAX = 2**31 - 1  # GIMP's integer arguments have 32 bits, with a sign
Value = int | float | bool | str


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    `minimum`, `maximum` and `step` (the increment of a spin box) are None for texts and switches.
    Front ends always show `main` parameters and fold the others under "More". A text with `choices`
    must be one of them. `live` parameters only control how the finished dream is blended with the
    picture: they can be changed afterwards, without dreaming again. A text with `entry` is a list
    of such entries, separated by semicolons.
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
    entry: str = ""

    def check(self, value: object) -> Value:
        """Return `value` as this parameter's type, or raise RecipeError with one sentence."""
        if self.kind is bool:
            if isinstance(value, bool):
                return value
            raise RecipeError(f"{self.name} must be on or off, not {value!r}.")
        if self.choices:
            if isinstance(value, str) and value in self.choices:
                return value
            raise RecipeError(f"{self.name} must be {_either(self.choices)}, not {value!r:.60}.")
        if self.kind is str:
            if isinstance(value, str) and len(value) <= 1000 and value.isprintable():
                return value
            raise RecipeError(
                f"{self.name} must be a text of up to 1000 characters, not {value!r:.60}."
            )
        return self._check_number(value)

    def _check_number(self, value: object) -> Value:
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is None or (self.kind is int and number % 1 != 0):  # NaN and infinity too
            noun = "a whole number" if self.kind is int else "a number"
            raise RecipeError(f"{self.name} must be {noun}, not {value!r:.60}.")
        low, high = self.minimum, self.maximum
        if low is None or high is None or not low <= number <= high:
            raise RecipeError(
                f"{self.name} must be between {low:g} and {high:g}, not {value!r:.60}."
            )
        return int(number) if self.kind is int else float(number)

    def parse(self, text: str) -> Value:
        """The value of a typed text; raises RecipeError."""
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
    """What to dream. Create one with `Recipe.of`, which checks everything."""

    model: str = _row(
        "squeezenet1_1", "Network", "The neural network to dream with. See: dreamlayer models."
    )
    layer: str = _row(
        "features.10",
        "Network layer",
        "What to amplify: a layer by name (features.10) or number (10), one of its channels"
        " (10:30), a kind of things (kind:dogs), or an object by name (class:castle). Combine"
        " several with weights, + and -: 10:30 + 12*0.5 - 3. An address, as What it sees shows"
        " them (squeezenet1_1/features.10/30), names the network too. Early layers draw strokes and"
        " textures, late ones animals and objects. See: dreamlayer layers MODEL, dreamlayer kinds.",
        main=True,
    )
    channels: str = _row(
        "",
        "Channels",
        "Amplify only these channels of the layer, e.g. 30 or 30,115. Leave empty for all.",
        main=True,
    )
    bind: str = _row(
        "",
        "Map colours",
        "What the colours of a dream map stand for, instead of the network layer: up to 8 colours,"
        " each with a layer, channel, kind or object, e.g. #ff0000=10:30; #00ff00=kind:dogs. Where"
        " the map has none of them, nothing is dreamed.",
        entry="COLOUR=WHAT",
    )
    spread: str = _row(
        "everywhere",
        "Spread",
        "How many things of a kind (kind:dogs) grow: one lets the clearest ones grow, everywhere"
        " fills the picture with them, sparse leaves more of it as it is.",
        choices=("one", "everywhere", "sparse"),
    )
    pooling: str = _row(
        "max",
        "Pooling",
        "How the network reduces its feature maps: max, as it was trained, or average for smoother,"
        " more even shapes.",
        choices=("max", "average"),
    )
    start: str = _row(
        "picture",
        "Start from",
        "Dream on the picture, or start from noise: then the network fills the whole area with what"
        " it imagines and covers the picture. Noise works on an empty layer too.",
        choices=("picture", "noise"),
    )
    method: str = _row(
        "steps",
        "Method",
        "How the dream is made: steps change the picture's pixels bit by bit, for strokes, fur and"
        " textures; painted changes large and small forms together, for whole creatures in the"
        " picture's own light. A painted dream chooses its own octaves.",
        choices=("steps", "painted"),
    )
    contrast: float = _row(
        0.6,
        "Contrast",
        "How far a painted dream departs from the picture: 0.6 is calm, 1 dramatic.",
        minimum=0.05, maximum=3.0, step=0.05,
    )  # fmt: skip
    chroma: float = _row(
        0.7,
        "Colourfulness",
        "How colourful a painted dream is: 0 changes only light, 1 is as colourful as photographs."
        " In a picture with hardly any colour it adds less.",
        minimum=0.0, maximum=1.5, step=0.05,
    )  # fmt: skip
    size: float = _row(
        1.0,
        "Size",
        "How large the things are that a painted dream shows: 2 is twice as large, and fewer, 0.5"
        " half as large, and more.",
        minimum=0.25, maximum=4.0, step=0.05,
    )  # fmt: skip
    octaves: int = _row(
        4,
        "Octaves",
        "How many sizes of the picture to dream on, from coarse to fine. More octaves make larger"
        " shapes.",
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
        "How many of the octaves are larger than the picture; the result is reduced again at the"
        " end. Gives finer strokes, but takes several times as long.",
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
        "How much each step is blurred. 0 gives fine grain, 1 to 2 large, soft strokes.",
        minimum=0.0, maximum=8.0, step=0.1, unit="px",
    )  # fmt: skip
    conditioning: str = _row(
        "plain",
        "Conditioning",
        "How each step weights coarse and fine structure: plain as the network does, laplacian all"
        " scales equally, spectral as in natural pictures.",
        choices=("plain", "laplacian", "spectral"),
    )
    calm_colours: float = _row(
        0.5,
        "Calm colours",
        "How much the colours of each step are damped and blurred, so that the dream has no"
        " coloured speckle: 0 leaves them as the network makes them, 1 changes lightness only. A"
        " painted dream's colours are only blurred.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    tv: float = _row(
        0.0,
        "Calm",
        "How strongly grain in the dream is smoothed out (total variation).",
        minimum=0.0, maximum=2.0, step=0.05,
    )  # fmt: skip
    stay: float = _row(
        0.0,
        "Stay near",
        "How strongly the dream is pulled back towards the picture while it develops.",
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
        "Let the dream continue across the edges, from left to right and from top to bottom, so"
        " that a texture stays tileable. Works only without a selection.",
    )
    noise: float = _row(
        0.0,
        "Noise",
        "Standard deviation of the noise that is added to the picture for the network (SmoothGrad),"
        " as a fraction of the value range; smaller octaves get less. 0.03 to 0.1 gives larger,"
        " cleaner strokes.",
        minimum=0.0, maximum=1.0, step=0.01,
    )  # fmt: skip
    noise_samples: int = _row(
        1,
        "Noise samples",
        "How many noisy copies are averaged in each step. The time grows in proportion.",
        minimum=1, maximum=64, step=1,
    )  # fmt: skip
    flow: bool = _row(
        True,
        "Follow motion",
        "In a film whose frames go on from each other, move what was dreamed along with what moves"
        " in the picture; places that come into view begin anew. A single picture has no motion.",
    )
    tile: int = _row(
        0,
        "Tile",
        "Side of the tiles in which the picture is computed; 0 chooses automatically. Affects time"
        " and memory, never the result.",
        minimum=0, maximum=8192, step=64, unit="px",
    )  # fmt: skip
    context: int = _row(
        96,
        "Surroundings",
        "How far beyond a selection the network sees.",
        minimum=0, maximum=1024, step=16, unit="px",
    )  # fmt: skip
    seed: int = _row(
        0,
        "Seed",
        "The same seed gives the same dream again. 0 picks a new seed each time.",
        minimum=0, maximum=SEED_MAX, step=1, main=True,
    )  # fmt: skip
    strength: float = _row(
        1.0,
        "Strength",
        "How much of the dream is added to the picture: 0 none of it, 1 all of it.",
        minimum=0.0, maximum=2.0, step=0.05, main=True, live=True,
    )  # fmt: skip
    colour: str = _row(
        "full",
        "Colours",
        "Which colours the dream adds: full keeps all, capped allows hardly stronger ones than the"
        " picture has, luminance changes only lightness, source changes perceived lightness and"
        " keeps the picture's own colours (OKLab).",
        choices=("full", "capped", "luminance", "source"), main=True, live=True,
    )  # fmt: skip
    feather: float = _row(
        0.0,
        "Feather",
        "How far the edges of a selection are softened.",
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
        "Round to 8 bits with fine noise, so that smooth gradients show no bands.",
        live=True,
    )
    zero_mean: bool = _row(
        False,
        "Keep brightness",
        "Keep the mean colour of the picture, so that the dream makes it neither lighter nor"
        " darker.",
        live=True,
    )

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Recipe:
        """A checked recipe from names and values; missing ones get their default.

        An address ("network/layer/channel") as `layer` says `model` too.

        Raises:
            RecipeError: unknown name, wrong type, out of range, or nothing to amplify.
        """
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in PARAMETERS:
                near = difflib.get_close_matches(str(name)[:60], PARAMETERS, 1)
                hint = (
                    f"; did you mean {near[0]}?" if near else f"; the parameters are: {_names()}."
                )
                raise RecipeError(f"There is no parameter {name!r:.60}{hint}")
            checked[name] = PARAMETERS[name].check(value)
        address = parse_address(checked.get("layer", ""))
        if address is not None:
            checked |= {"model": address.model, "layer": address.layer}
        recipe = cls(**checked)
        recipe.expression()
        recipe.bindings()
        return recipe

    def bindings(self) -> tuple[Binding, ...]:
        """What the colours of a dream map stand for; empty without a map.

        Raises RecipeError, with one sentence.
        """
        return parse_bindings(self.bind)

    def expressions(self) -> tuple[Expression, ...]:
        """All that is amplified: for each colour of the map, or `expression` everywhere."""
        return tuple(bound.expression for bound in self.bindings()) or (self.expression(),)

    @property
    def needs_guide(self) -> bool:
        return any(expression.needs_guide for expression in self.expressions())

    def expression(self) -> Expression:
        """What to amplify: `layer`, restricted to `channels`, which needs one plain layer.

        Raises RecipeError, with one sentence.
        """
        expression = parse(self.layer)
        if not self.channels.strip():
            return expression
        if not CHANNELS.fullmatch(self.channels):
            raise RecipeError(
                "channels must be a list of numbers such as 30 or 30,115, not"
                f" {self.channels!r:.60}."
            )
        if [(weight, target.kind) for weight, target in expression.terms] != [(1.0, "squares")]:
            raise RecipeError(
                f"“{shortened(self.layer, 60)}” already says what to amplify, so channels can't be"
                f" {self.channels!r:.60}: leave channels empty."
            )
        return parse(f"{expression.layers[0]}:{self.channels.strip()}")

    @property
    def is_painted(self) -> bool:
        """Whether the dream is painted into the picture. From noise there is none to paint into."""
        return self.start == "picture" and self.method == "painted"

    def with_seed(self) -> Recipe:
        """This recipe, with a random seed if it has none, so that the dream can be repeated."""
        if self.seed:
            return self
        return dataclasses.replace(self, seed=random.SystemRandom().randint(1, SEED_MAX))

    def to_dict(self) -> dict[str, Value]:
        """Names and values, for `Recipe.of`."""
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
# Those with a field of their own in every form; the colours of a dream map have a special one.
FORM_PARAMETERS = {name: row for name, row in PARAMETERS.items() if not row.entry}
