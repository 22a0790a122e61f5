"""Named recipes. To add one, add an entry below; parameters that it leaves out are defaults.

`PRESETS` are those that front ends list; `RETIRED` ones are only found by name. `DEFAULT` is what
front ends begin with.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .recipe import PARAMETERS, Recipe, RecipeError, Value

DEFAULT = "creatures"  # the preset that suits any picture
INCLUDED = ("squeezenet1_1", "efficientnet-lite0")  # networks that are part of Dreamlayer
# A preset does not change these.
KEPT = frozenset({"seed", "flow", "tile", "context", "feather", "bind"})
# Parameters that adjust the default preset; any other asks for another dream.
ADJUSTING = (
    KEPT - {"bind"}
    | {"contrast", "chroma", "size", "spread"}
    | {name for name, row in PARAMETERS.items() if row.live}
)
THUMBNAILS = Path(__file__).parent / "thumbnails"  # made by tests/bench/thumbnails.py


@dataclass(frozen=True)
class Preset:
    """A recipe with a name.

    Attributes:
        name: its identifier.
        title: its name in front ends.
        help: one sentence that describes its look.
        values: the recipe's parameters that differ from their defaults.
    """

    name: str
    title: str
    help: str
    values: Mapping[str, Value]

    def recipe(self) -> Recipe:
        return Recipe.of(self.values)

    @property
    def needs_download(self) -> bool:
        """Whether its network must be downloaded first."""
        return self.recipe().model not in INCLUDED

    @property
    def thumbnail(self) -> Path | None:
        """A square JPEG of a dream; None if the network must be downloaded first."""
        path = THUMBNAILS / f"{self.name}.jpg"
        return path if path.is_file() else None


def find(name: str) -> Preset:
    """The preset with this name, also a retired one.

    Raises RecipeError, which suggests similar names.
    """
    preset = PRESETS.get(name) or RETIRED.get(name)
    if preset is None:
        near = difflib.get_close_matches(name, PRESETS, 3, 0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "see: dreamlayer presets."
        raise RecipeError(f"There is no preset {name!r:.60}; {hint}")
    return preset


def values_under(names: Iterable[str]) -> Mapping[str, Value]:
    """The values that a recipe begins with if parameters `names` are given, and no preset.

    Those of the default preset, unless a parameter asks for another dream.
    """
    return PRESETS[DEFAULT].values if ADJUSTING.issuperset(names) else {}


def of(recipe: Recipe) -> Preset | None:
    """The preset that a recipe matches, whatever its parameters in KEPT; None without one."""
    kept = {name: getattr(recipe, name) for name in KEPT}
    for preset in PRESETS.values():
        if dataclasses.replace(preset.recipe(), **kept) == recipe:
            return preset
    return None


def _squeezenet(name: str, title: str, text: str, **values: Value) -> Preset:
    return Preset(name, title, text, values)


def _lite(name: str, title: str, text: str, layer: str, **values: Value) -> Preset:
    common: dict[str, Value] = {"model": "efficientnet-lite0", "layer": layer, "zero_mean": True}
    return Preset(name, title, text, common | values)


def _painted_lite(name: str, title: str, text: str, layer: str, **values: Value) -> Preset:
    common: dict[str, Value] = {"method": "painted", "steps": 11, "contrast": 0.6, "chroma": 0.6}
    return _lite(name, title, text, layer, **common | values)


def _kind(name: str, title: str, text: str, kind: str, **values: Value) -> Preset:
    common: dict[str, Value] = {
        "method": "painted", "layer": f"kind:{kind}", "steps": 12, "contrast": 0.65,
        "chroma": 0.6, "zero_mean": True,
    }  # fmt: skip
    return Preset(name, title, text, common | values)


def _googlenet(name: str, title: str, text: str, **values: Value) -> Preset:
    return Preset(name, title, text, {"model": "googlenet", **values})


def _vgg16(name: str, title: str, text: str, **values: Value) -> Preset:
    return Preset(name, title, text, {"model": "vgg16", **values})


def _reference(name: str, title: str, text: str, layer: str, **values: Value) -> Preset:
    """The settings of the reference implementation: vgg16, 40 steps in 8 octaves of ratio 1.5.

    Two of the octaves are larger than the picture. Its rate of 0.05 is in the network's units of
    about 0.226 of the value range: 2.9 levels of 255.
    """
    common: dict[str, Value] = {
        "model": "vgg16", "layer": layer, "octaves": 8, "octave_scale": 1.5, "supersample": 2,
        "steps": 40, "step_size": 2.9, "smooth": 0.0, "roll": True, "soft_clip": False,
        "calm_colours": 0.0,
    }  # fmt: skip
    return Preset(f"reference-{name}", title, text, common | values)


_ALL = (
    # EfficientNet-Lite0, painted.
    _painted_lite(
        "creatures", "Creatures", "Furry animals with bright eyes grow out of every shape.",
        "10", contrast=0.65, chroma=0.55,
    ),
    _painted_lite(
        "wilderness", "Wilderness", "Cliffs, woods and folds, almost as real as the photo.",
        "14",
    ),
    _painted_lite(
        "ornament", "Ornament", "Carved patterns and round, shining stones.",
        "7", contrast=0.57,
    ),
    _painted_lite(
        "veins", "Veins", "Ribs and veins, as of leaves and bones.",
        "4", contrast=0.45, chroma=0.5,
    ),
    # SqueezeNet's kinds, painted.
    _kind(
        "dogs", "Dogs everywhere", "Dogs look out of hills, clouds and walls, in the same light.",
        "dogs", contrast=0.6,
    ),
    _kind(
        "bird", "A bird", "One large bird with a sharp beak, where the picture suits it best.",
        "birds", spread="one", chroma=0.3,
    ),
    # EfficientNet-Lite0, by steps.
    _lite(
        "serpents", "Serpents", "Coils, scales and suckers, as of snakes and octopuses.",
        "8", steps=12, colour="capped",
    ),
    _lite(
        "rosettes", "Rosettes", "Rosettes, fans and feathers in low relief.",
        "12", steps=14, colour="capped",
    ),
    _lite(
        "woodcut", "Woodcut", "Rows of fine, parallel cuts that follow every shape.",
        "6", octaves=3, colour="capped",
    ),
    _lite(
        "wicker", "Wicker", "Everything is woven from thick, round rods.",
        "2", steps=8, step_size=0.7, colour="capped",
    ),
    # SqueezeNet, by steps.
    _squeezenet(
        "animals", "Animals", "Dog faces, fur and paws grow out of every shape: the classic dream.",
        layer="features.10", calm_colours=0.75,
    ),
    _squeezenet(
        "feathers", "Parrot feathers", "Bright plumage on everything that has texture.",
        layer="features.10:30", octaves=5, step_size=1.2, smooth=0.9, calm_colours=0.75,
        zero_mean=True, colour="capped",
    ),
    _squeezenet(
        "strawberries", "Strawberries", "Everything ripens into round fruit full of seeds.",
        layer="features.9:10", octaves=5, steps=8, step_size=1.1, smooth=1.0, calm_colours=0.75,
        zero_mean=True, colour="capped",
    ),
    _squeezenet(
        "swirls", "Swirls", "Lines curl up, with eyes looking out of the swirls.",
        layer="features.7", octaves=5, steps=10, smooth=0.9, calm_colours=0.7, zero_mean=True,
        colour="capped",
    ),
    _squeezenet(
        "stripes", "Tiger stripes", "The coat of a tiger over everything.",
        layer="features.7:20", octaves=5, steps=8, step_size=0.95, smooth=1.0, calm_colours=0.6,
        zero_mean=True, colour="capped",
    ),
    _squeezenet(
        "castles", "Castles", "Walls, towers and windows, wherever there is an upright line.",
        layer="class:castle", octaves=5, steps=16, smooth=0.9, zero_mean=True, colour="capped",
    ),
    _squeezenet(
        "volcano", "Volcano", "From noise, without the picture: a mountain that breathes fire.",
        layer="class:volcano", start="noise",
    ),
    _squeezenet(
        "jellyfish", "Jellyfish", "From noise, without the picture: a sea full of jellyfish.",
        layer="class:jellyfish", start="noise",
    ),
    _squeezenet(
        "daisies", "Daisies", "From noise, without the picture: a meadow of daisies.",
        layer="class:daisy", start="noise",
    ),
    _squeezenet(
        "peacock", "Peacock", "From noise, without the picture: blue and green birds in a park.",
        layer="class:peacock", start="noise",
    ),
    # Other networks, which are downloaded on request.
    _googlenet(
        "inception", "Inception", "The look that made DeepDream famous: dogs, birds and cars.",
        layer="inception4c", octave_scale=1.4,
    ),
    _googlenet(
        "pagodas", "Pagodas", "Towers, wheels and creatures, stacked on top of each other.",
        layer="inception4d", octaves=6,
    ),
    _googlenet(
        "filigree", "Filigree", "Fine curls and scales, like the work of a goldsmith.",
        layer="inception3b", octaves=3,
    ),
    _googlenet(
        "arches", "Arches", "Windows, columns and gates, in light and dark only.",
        layer="inception4b", octaves=5, colour="luminance",
    ),
    _vgg16(
        "oil", "Oil paint", "Thick, rich strokes.",
        layer="features.14", octaves=3, smooth=1.0,
    ),
    _vgg16(
        "faces", "Faces", "Heads and eyes, painted softly.",
        layer="features.25", octaves=5, noise=0.1,
    ),
    # The reference's own pictures.
    _reference("25", "Reference: layer 25", "Eyes and animals, as in the reference.", "25"),
    _reference("27", "Reference: layer 27", "Heads and figures, as in the reference.", "27"),
    _reference("2", "Reference: layer 2", "Fine lines, as in the reference.", "2"),
    _reference("25-30", "Reference: layer 25, channel 30", "One channel of layer 25.", "25:30"),
    _reference("25-150", "Reference: layer 25, channel 150", "One channel of layer 25.", "25:150"),
    _reference("27-500", "Reference: layer 27, channel 500", "One channel of layer 27.", "27:500"),
    _reference(
        "noise", "Reference: with noise",
        "Layer 27 with the noise that the reference defines but never applies.", "27", noise=0.1,
    ),
)  # fmt: skip

# Presets that look like another to a network that did not dream (tests/bench/quality.py): no front
# end lists them, but scripts that name them go on working.
_RETIRED = (
    _squeezenet(
        "eyes", "Eyes", "Everything round turns into an eye.",
        layer="features.9",
    ),
    _squeezenet(
        "birds", "Birds", "Beaks, feathers and odd beasts, large and far apart.",
        layer="features.12", steps=14, smooth=1.1, colour="capped",
    ),
    _squeezenet(
        "strokes", "Brush strokes", "Short strokes that follow the lines of the picture.",
        layer="features.6", octaves=3, steps=16, smooth=0.9, colour="capped",
    ),
    _squeezenet(
        "engraving", "Engraving", "Carved light and dark, in the picture's own colours.",
        layer="features.7", octaves=2, steps=22, smooth=1.1, colour="source",
    ),
    _squeezenet(
        "mist", "Mist", "Animals as large, clean, soft shapes, as if seen through fog.",
        layer="features.10", octaves=5, smooth=1.2, noise=0.12, noise_samples=2, zero_mean=True,
        colour="capped",
    ),
    _squeezenet(
        "tapestry", "Tapestry", "All scales at once, from threads to figures.",
        layer="features.9", octaves=5, conditioning="laplacian", smooth=0.6, colour="capped",
    ),
    _squeezenet(
        "bestiary", "Bestiary", "Fur, feathers and eyes together, with touches of colour.",
        layer="features.10 + features.12*0.7 + features.9*0.5 - features.3*0.3", octaves=5,
        smooth=1.0,
    ),
)  # fmt: skip

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
RETIRED: dict[str, Preset] = {preset.name: preset for preset in _RETIRED}
