"""Does `see` find what is there? Its ten strongest channels are dreamed, another network judges.

python -m tests.bench.seeing [--stamps FOLDER] [--draws N] [--network NAME …] [--on GROUND …]

For photos of a known subject: `see` ranks the channels of a network, the first ten are dreamed into
the photo, or into an even grey, and a classifier that did not dream says how probable the subject's
classes are then. The same is done with ten channels drawn at random from the same layers. Five
photos are those of tests/pictures; seven are stamps of Tux Paint (GPL, so they are not part of this
project), which Debian's package tuxpaint-stamps-default puts into /usr/share/tuxpaint/stamps.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamlayer.engine import seeing
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.networks.kinds import usual
from dreamlayer.networks.network import CLASS, Network, extract
from dreamlayer.networks.registry import registry
from dreamlayer.studio.local import LocalStudio
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.seeing import Seen, SeeRequest
from tests.engine.looks import PICTURES, run_dream

STAMPS = Path("/usr/share/tuxpaint/stamps")
# The photos, and the numbers of ImageNet's classes that would be right: the subject's and siblings.
SUBJECTS: dict[str, Collection[int]] = {
    "chelsea.png": range(281, 286),  # cats
    "coffee.png": (504, 925, 967, 968),  # mug, soup, espresso, cup
    "rocket.jpg": (657, 744, 812),  # missile, projectile, space shuttle
    "china.jpg": (497, 663, 668, 698, 832),  # church, monastery, mosque, palace, stupa
    "peaks.jpg": (970, 972, 979, 980),  # alp, cliff, valley, volcano
    "animals/mammals/bears/european-bear.png": range(294, 298),
    "animals/mammals/aquatic/otter.png": range(356, 363),  # weasel to badger
    "animals/mammals/cats/tiger_sumatran.png": range(281, 294),  # cats, big and small
    "food/fruit/Strawberry2.png": (949,),
    "vehicles/emergency/firetruck.png": (407, 555, 569, 864, 867),  # and other lorries
    "vehicles/flight/balloon360.png": (417,),
    "military/vehicles/f22_raptor.png": (404, 895, 908),  # airliner, warplane, wing
}
JUDGES = {"efficientnet-lite0": "squeezenet1_1", "squeezenet1_1": "efficientnet-lite2"}
GROUNDS = ("photo", "grey")  # what is dreamed on
TEN = 10
SIDE, DREAMED = 480, 192  # px, of what is seen and of what is dreamed
DREAM = {"method": "painted", "steps": 14, "octaves": 1, "seed": 5}


def photo(path: Path, side: int) -> tuple[Tensor, bytes, Picture]:
    """A photo (1, 3, h, w) in 0..1, on grey if it is cut out, and its pixels with alpha."""
    with Image.open(path) as image:
        cut = image.convert("RGBA")
    scale = side / max(cut.size)
    cut = cut.resize([round(length * scale) for length in cut.size], Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.asarray(cut).astype(np.float32) / 255)
    colours, alpha = pixels[..., :3], pixels[..., 3:]
    flat = (colours * alpha + 0.5 * (1 - alpha)).permute(2, 0, 1)[None]
    return flat, cut.tobytes(), Picture(*cut.size, "U8", "RGBA")


def grey() -> Tensor:
    """An even grey with a little noise, in which there is no subject."""
    noise = torch.randn(1, 3, DREAMED, DREAMED, generator=torch.Generator().manual_seed(0))
    return (0.5 + 0.05 * noise).clamp(0, 1)


def log_odds(judge: Network, picture: Tensor, classes: Collection[int]) -> float:
    """The log odds of being of one of some classes, which probabilities near 1 do not hide."""
    with torch.no_grad():
        logits = judge.logits(judge(picture)[0])[0].double()
    chosen = torch.zeros(len(logits), dtype=torch.bool)
    chosen[list(classes)] = True
    return float(logits[chosen].logsumexp(0) - logits[~chosen].logsumexp(0))


def dreamed(model: str, base: Tensor, expression: str) -> Tensor:
    recipe = Recipe.of({**DREAM, "model": model, "layer": expression})
    return (base + run_dream(base, network_for(recipe), recipe).detail).clamp(0, 1)


def drawn(network: Network, layers: Iterable[str], dice: random.Random) -> str:
    """An expression of random channels of the same layers, weighed as those that are seen are."""
    chosen: list[tuple[str, float]] = []
    taken: set[tuple[str, int]] = set()
    for layer in layers:
        usually = usual.find(network.name, layer)
        number = dice.randrange(len(usually.silent))
        while (layer, number) in taken or usually.silent[number]:
            number = dice.randrange(len(usually.silent))
        taken.add((layer, number))
        scale = network.scales[network.layers.index(layer)]
        chosen.append((f"{layer}:{number}", float(usually.spreads[number]) / scale))
    return seeing.together(chosen)


def measure(model: str, judge_name: str, paths: dict[str, Path], draws: int, ground: str) -> None:
    """Print a table for a network, and how many subjects `see` found better than chance."""
    studio, judge = LocalStudio(), extract(judge_name, [CLASS])
    network = extract(model, usual.layers(model))
    print(f"\n{model} dreams into {ground}, {judge_name} judges: log odds of the subject\n")
    print("| subject | before | ten seen | ten random | better |")
    print("|---|---|---|---|---|")
    better = raised = 0
    for name, path in paths.items():
        _, pixels, layout = photo(path, SIDE)
        request = SeeRequest(layout, layout.region, model=model, count=TEN)
        header, heat = studio.see(request, [pixels])
        seen = Seen.of(header, [heat])
        base = photo(path, DREAMED)[0] if ground == GROUNDS[0] else grey()
        classes = SUBJECTS[name]
        before = log_odds(judge, base, classes)
        after = log_odds(judge, dreamed(model, base, seen.together[0].expression), classes)
        layers = [row.address.split("/")[1] for row in seen.channels]
        chance = [
            log_odds(judge, dreamed(model, base, expression), classes)
            for draw in range(draws)
            for expression in [drawn(network, layers, random.Random(f"{name}{draw}"))]
        ]
        mean = sum(chance) / len(chance)
        better, raised = better + (after > mean), raised + (after > before)
        verdict = "yes" if after > mean else "no"
        stem = Path(name).stem
        print(f"| {stem} | {before:.1f} | {after:.1f} | {mean:.1f} | {verdict} |", flush=True)
    print(
        f"\nThe ten that are seen beat ten at random on {better} of {len(paths)} photos; on"
        f" {raised} the subject is more probable than before the dream."
    )


def timed(times: int = 5) -> None:
    """Print how long a look at 2 megapixels takes, over all layers of both networks."""
    studio = LocalStudio()
    layout = Picture(1632, 1224, "U8", "RGB")
    pixels = np.random.default_rng(1).integers(0, 256, layout.nbytes, np.uint8).tobytes()
    request = SeeRequest(layout, layout.region)
    seconds = []
    for _ in range(times + 1):
        began = time.perf_counter()
        studio.see(request, [pixels])
        seconds.append(time.perf_counter() - began)
    print(
        f"2 megapixels, all layers of both networks: {min(seconds[1:]):.2f} to"
        f" {max(seconds[1:]):.2f} s; {seconds[0]:.1f} s the first time, when they are loaded."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stamps", type=Path, default=STAMPS, help="the folder of the stamps")
    parser.add_argument("--draws", type=int, default=2, help="random draws for each photo")
    parser.add_argument("--network", action="append", choices=tuple(JUDGES), default=[])
    parser.add_argument("--on", action="append", choices=GROUNDS, default=[])
    arguments = parser.parse_args()
    timed()
    paths = {name: PICTURES / name for name in SUBJECTS if (PICTURES / name).exists()}
    paths |= {name: arguments.stamps / name for name in SUBJECTS if name not in paths}
    missing = [name for name, path in paths.items() if not path.exists()]
    if missing:
        print(f"\nLeft out, as they are not installed: {', '.join(missing)}.")
    paths = {name: path for name, path in paths.items() if path.exists()}
    for model in arguments.network or JUDGES:
        judge = JUDGES[model]
        if registry.ready(registry.find(judge)):
            for ground in arguments.on or GROUNDS:
                measure(model, judge, paths, arguments.draws, ground)
        else:
            print(f"\n{model} has no judge: {judge} is not installed.")


if __name__ == "__main__":
    main()
