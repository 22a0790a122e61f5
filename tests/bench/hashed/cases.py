"""The dreams that are hashed: each is small, and there is one for each way that a dream can go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.bench.hashed.asking import Case, Frame
from tests.bench.hashed.project import PRESETS, Edges, Region, Value
from tests.bench.hashed.scenes import Scene

PRESET_STEPS = 4  # at most
STAND_INS = {  # for layers of networks that few have
    "inception3b": "features.7", "inception4b": "features.9", "inception4c": "features.10",
    "inception4d": "features.11", "features.14": "features.6", "features.25": "features.8",
    "2": "features.3", "25": "features.10", "27": "features.12",
}  # fmt: skip
AT_HAND = ("squeezenet1_1", "efficientnet-lite0")
SMALL, LARGE = (160, 130), (260, 220)  # px
MIDDLE = Region(70, 50, 120, 100)  # of the large size
CORNER = Region(0, 0, 110, 90)
TILED, WIDE = (900, 700), (1664, 1280)  # in several tiles; kept in 16 bits
SELECTED = Scene("raccoon.jpg", LARGE, region=MIDDLE, mask=True)
LIGHT: tuple[Mapping[str, Value], ...] = (
    {"strength": 0.0},
    {"strength": 0.45},
    {"strength": 1.7},
    {"colour": "capped"},
    {"colour": "luminance", "strength": 1.5},
    {"colour": "source"},
    {"soft_clip": False, "strength": 2.0},
    {"dither": True},
    {"zero_mean": True, "colour": "source"},
    {"feather": 12.0},
    {"feather": 40.0, "dither": True, "zero_mean": True, "strength": 1.3},
)


def cases() -> Iterator[Case]:
    """All of them, in their order."""
    yield from _presets()
    yield from _targets()
    yield from _parameters()
    yield from _places()
    yield from _layouts()
    yield from _films()
    yield from _looks()
    yield from _engines()
    yield from _tiles()


def _presets() -> Iterator[Case]:
    """Those of networks that few have dream the same way with the embedded one."""
    for name, preset in PRESETS.items():
        values = dict(preset.values)
        values["steps"] = min(PRESET_STEPS, preset.recipe().steps)
        values.setdefault("octaves", preset.recipe().octaves)
        if values.get("model", AT_HAND[0]) not in AT_HAND:
            del values["model"]
            layer, colon, channel = str(values["layer"]).partition(":")
            values["layer"] = STAND_INS[layer] + colon + channel
        covering = values.get("start") == "noise"
        for photo in ("china.jpg",) if covering else ("china.jpg", "raccoon.jpg"):
            yield Case(f"preset-{name}-{photo.partition('.')[0]}", values, Scene(photo))


def _targets() -> Iterator[Case]:
    guided = Scene(guide="coffee.png")
    texts = {
        "number": "6", "mean": "features.9:mean", "channels": "features.10:30,115",
        "unit": "features.9:10@0.5,0.25", "direction": "10:direction(3 7=0.5 9=-1)",
        "class": "class:castle", "class-number": "class:483",
        "classes": 'class:castle + class:"golden retriever"*0.5',
        "several": "10:30 + 12*0.5 - 3", "strokes-first": "features.0",
        "sum": "sum(7:20, 9:mean*2) - 4*0.3", "class-and-layer": "class:volcano + 10*0.01",
    }  # fmt: skip
    for name, text in texts.items():
        yield Case(f"target-{name}", {"layer": text})
    for name, text in {"guide": "10:guide", "cosine": "9:cosine + 6:guide*0.5"}.items():
        yield Case(f"target-{name}", {"layer": text}, guided)
    yield Case("target-channels-apart", {"layer": "features.9", "channels": "10,40,41"})


def _parameters() -> Iterator[Case]:
    """Each parameter of the recipe, otherwise than by default."""
    values: dict[str, Mapping[str, Value]] = {
        "lite": {"model": "efficientnet-lite0", "layer": "6"},
        "lite-spectral": {"model": "efficientnet-lite0", "layer": "4", "conditioning": "spectral"},
        "average": {"pooling": "average"},
        "average-class": {"pooling": "average", "layer": "class:castle", "octaves": 3},
        "start-noise": {"start": "noise", "steps": 2},
        "octaves": {"octaves": 6, "octave_scale": 1.25},
        "one-octave": {"octaves": 1},
        "supersample": {"octaves": 3, "supersample": 1, "octave_scale": 1.5},
        "supersample-all": {"octaves": 2, "supersample": 3},
        "step-size": {"step_size": 4.5, "steps": 6},
        "smooth-none": {"smooth": 0.0},
        "smooth-far": {"smooth": 5.5},
        "laplacian": {"conditioning": "laplacian"},
        "spectral": {"conditioning": "spectral"},
        "laplacian-smooth": {"conditioning": "laplacian", "smooth": 2.0, "tv": 0.3},
        "colours-not-calmed": {"calm_colours": 0.0},
        "painted": {"method": "painted", "chroma": 1.2, "contrast": 0.9, "calm_colours": 0.0},
        "painted-small": {"method": "painted", "size": 0.5, "wrap": True},
        "kind": {"layer": "kind:dogs", "spread": "one"},
        "kinds": {"layer": "kind:menagerie", "method": "painted", "spread": "sparse"},
        "colours-calmed": {"calm_colours": 1.0, "wrap": True},
        "tv": {"tv": 0.6, "steps": 5},
        "stay": {"stay": 0.7, "steps": 5},
        "tv-stay": {"tv": 1.5, "stay": 1.5, "octaves": 3},
        "no-roll": {"roll": False},
        "wrap": {"wrap": True},
        "wrap-spectral": {"wrap": True, "conditioning": "spectral", "tv": 0.4},
        "wrap-laplacian": {"wrap": True, "conditioning": "laplacian", "roll": False},
        "noise": {"noise": 0.1},
        "noise-samples": {"noise": 0.08, "noise_samples": 4},
        "wrap-start-noise": {"wrap": True, "start": "noise", "steps": 2},
        "seed": {"seed": 123456789},
        "luminance-dither": {"colour": "luminance", "dither": True, "strength": 0.7},
        "everything": {
            "layer": "9 + 6*0.5", "pooling": "average", "supersample": 1, "wrap": True,
            "conditioning": "spectral", "tv": 0.2, "stay": 0.2, "noise": 0.05, "noise_samples": 2,
            "colour": "source", "zero_mean": True, "soft_clip": False, "tile": 128,
        },
    }  # fmt: skip
    for name, changed in values.items():
        yield Case(f"recipe-{name}", changed, Scene("astronaut.png"))


def _places() -> Iterator[Case]:
    """Selections, masks and strength maps; and what was dreamed there, otherwise blended."""
    apart = Edges(False, False, False, False)
    scenes = {
        "region": Scene("raccoon.jpg", LARGE, region=MIDDLE),
        "corner": Scene("raccoon.jpg", LARGE, region=CORNER),
        "corner-apart": Scene("raccoon.jpg", LARGE, region=CORNER, edges=apart),
        "own-edges": Scene(
            "raccoon.jpg", LARGE, region=MIDDLE, edges=Edges(True, False, True, True)
        ),
        "whole-apart": Scene("raccoon.jpg", edges=apart),
        "mask": SELECTED,
        "mask-clip": Scene("raccoon.jpg", LARGE, order="RGBA", region=MIDDLE, mask=True, clip=True),
        "strength-map": Scene("raccoon.jpg", strength="RGBA"),
        "strength-grey-mask": Scene("raccoon.jpg", LARGE, region=MIDDLE, mask=True, strength="G"),
    }
    for name, scene in scenes.items():
        yield Case(f"place-{name}", {"feather": 9.0}, scene)
        yield Case(f"place-{name}-noised", {"layer": "7", "noise": 0.1, "tv": 0.3}, scene)
    yield Case(
        "place-guide", {"layer": "9:guide"}, Scene(mask=True, strength="G", guide="coffee.png")
    )
    for name, changed in {
        "map": {"bind": "#ff0000=10:30; #00ff00=kind:dogs"},
        "map-one-colour": {"bind": "#00ff00=6 + class:castle*0.1"},
        "map-painted": {"bind": "#ff0000=10:30; #00ff00=9:40", "method": "painted"},
    }.items():
        yield Case(f"place-{name}", changed, Scene(dream_map=True))
    yield Case("place-start-noise", {"start": "noise", "steps": 2}, SELECTED)
    yield Case("place-supersample", {"supersample": 1, "conditioning": "laplacian"}, SELECTED)
    yield Case("blend-whole", {}, Scene("coffee.png"), blends=LIGHT, manner={"gain": True})
    yield Case("blend-mask", {}, SELECTED, blends=LIGHT, manner={"gain": True})
    covering = Scene("coffee.png", SMALL, order="RGBA", strength="RGB")
    yield Case("blend-covering", {"start": "noise", "steps": 2}, covering, blends=LIGHT)
    bright = Scene("coffee.png", depth="F32", order="RGBA", curve="linear", hdr=True)
    yield Case("blend-hdr", {}, bright, blends=LIGHT)


def _layouts() -> Iterator[Case]:
    values: dict[str, Value] = {"octaves": 1, "steps": 2}
    for depth in ("U8", "U16", "F16", "F32"):
        for order in ("RGBA", "BGRA", "RGB", "GA", "G"):
            curve = "linear" if depth in ("F16", "F32") or order == "BGRA" else "srgb"
            scene = Scene("rocket.jpg", SMALL, depth, order, curve, hdr=depth.startswith("F"))
            yield Case(f"layout-{depth}-{order}-{curve}", values, scene)
    for depth in ("U16", "F32"):
        scene = Scene("rocket.jpg", SMALL, depth, "RGBA", "srgb", mask=True, clip=True)
        yield Case(f"layout-{depth}-clipped", {**values, "colour": "source", "dither": True}, scene)


def _films() -> Iterator[Case]:
    first, second = Scene("chelsea.png"), Scene("chelsea.png", strength="G")
    yield Case("film-carry", film=(Frame(first, 0.5), Frame(first, 1.0), Frame(second, 0.3)))
    still: dict[str, Value] = {"flow": False}
    yield Case(
        "film-no-flow", still, film=(Frame(first, 0.5), Frame(first, 1.0), Frame(second, 0.3))
    )
    yield Case("film-dive", film=(Frame(first, 0.6, 1.05), Frame(first, 0.9, 1.5)))
    yield Case("film-zoom-alone", film=(Frame(first, 0.0, 1.2),))
    yield Case("film-mask", {}, SELECTED, film=(Frame(SELECTED, 0.7),))
    wrapped: dict[str, Value] = {"wrap": True, "conditioning": "spectral"}
    yield Case("film-wrap-dive", wrapped, first, film=(Frame(first, 0.5, 1.1),))
    deep = Scene("chelsea.png", depth="F32", order="RGBA", curve="linear", hdr=True)
    yield Case("film-deep-dive", {}, deep, film=(Frame(deep, 0.5, 1.1),))


def _looks() -> Iterator[Case]:
    """Quick looks, previews, and pixels on the way."""
    four: dict[str, Value] = {"octaves": 4, "steps": 6}
    quick: dict[str, Any] = {"quick": True}
    yield Case("shown-dream", four, shown=True)
    yield Case("shown-mask", four, SELECTED, shown=True)
    yield Case("shown-start-noise", {"start": "noise", "steps": 2}, Scene(size=SMALL), shown=True)
    yield Case("quick-whole", four, manner=quick, shown=True)
    yield Case("quick-reduced", four, manner={**quick, "reduced": 2.0}, shown=True)
    yield Case("quick-mask", {**four, "strength": 0.5}, SELECTED, manner=quick, shown=True)
    yield Case("quick-far-reduced", four, manner={**quick, "reduced": 9.0}, shown=True)


def _engines() -> Iterator[Case]:
    """What is dreamed by each engine, and by each variant of the kernel."""
    values: dict[str, Mapping[str, Value]] = {
        "default": {},
        "average": {"pooling": "average", "layer": "9"},
        "class": {"layer": "class:castle"},
        "several": {"layer": "10:30 + 12*0.5 - 3", "conditioning": "laplacian"},
        "unit": {"layer": "features.9:10@0.5,0.25"},
        "wrap": {"wrap": True, "conditioning": "spectral"},
        "samples": {"noise": 0.1, "noise_samples": 2, "tv": 0.3},
        "start-noise": {"start": "noise", "steps": 1},
        "lite": {"model": "efficientnet-lite0", "layer": "6"},
        "tiles": {"tile": 64, "octaves": 1, "steps": 2},
    }
    for engine in ("kernel", "tape", "autograd"):
        for name, changed in values.items():
            yield Case(f"engine-{engine}-{name}", changed, Scene("rocket.jpg"), engine)
        yield Case(f"engine-{engine}-mask", {"layer": "7"}, SELECTED, engine)
    for variant in ("avx2", "portable"):
        for name in ("default", "average", "several", "tiles"):
            full = f"engine-kernel-{variant}-{name}"
            yield Case(full, values[name], Scene("rocket.jpg", SMALL), variant=variant)


def _tiles() -> Iterator[Case]:
    """One picture in tiles of several sizes, one of 16 bits a sample, and one kept in files."""
    large = Scene("astronaut.png", TILED)
    values: dict[str, Value] = {"octaves": 2, "steps": 2}
    for tile in (0, 128, 256, 512, 2048):
        yield Case(f"tile-{tile}", {**values, "tile": tile, "octaves": 1}, large)
    yield Case("tile-320-wrap", {**values, "tile": 320, "wrap": True, "layer": "6"}, large)
    for context in (0, 32):
        scene = Scene("astronaut.png", TILED, region=Region(300, 200, 300, 250), mask=True)
        yield Case(f"tile-context-{context}", {**values, "context": context, "tile": 128}, scene)
    wide = Scene("astronaut.png", WIDE)
    few: dict[str, Value] = {"octaves": 2, "steps": 1, "layer": "features.6"}
    yield Case("wide-16-bits", few, wide)
    yield Case("wide-regularised", {**few, "tv": 0.5, "stay": 0.3, "noise": 0.05}, wide)
    yield Case("wide-in-files", few, wide, map_above=1)
