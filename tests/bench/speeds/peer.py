"""Runs in a peer's environment: one dream by it, and a line of JSON about what it took.

The clock starts when the network is loaded. How they are driven: neural-dream by its command line;
lucent by `render_vis`, once for each octave, on the pixels of the picture.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dreamlayer.networks.registry.torchvision_import import import_torchvision
from tests.bench.speeds.measuring import Spent, measured


def neural_dream(task: dict[str, Any]) -> Spent:
    folder = Path(task["folder"])
    options = {
        "content_image": folder / "source.png", "model_file": folder / "vgg16.pth", "gpu": "c",
        "image_size": task["side"], "dream_layers": "relu5_1", "num_iterations": 1,
        "num_octaves": task["octaves"], "octave_scale": task["shrink"],
        "octave_iter": task["steps"], "save_iter": 0, "print_iter": 0,
        "model_type": "pytorch", "output_image": folder / "neural-dream.png",
    }  # fmt: skip
    sys.argv = ["neural-dream", *(str(w) for n, v in options.items() for w in (f"-{n}", v))]
    from neural_dream import neural_dream as program  # type: ignore[import-not-found]

    loaded = program.loadCaffemodel(str(folder / "vgg16.pth"), "max", "c", False, True)
    program.loadCaffemodel = lambda *_: loaded
    return measured(program.main)


def lucent(task: dict[str, Any]) -> Spent:
    from lucent.optvis import render, transform  # type: ignore[import-not-found]
    from torchvision.models import vgg16
    from torchvision.transforms.functional import to_tensor

    folder = Path(task["folder"])
    network = vgg16()
    network.load_state_dict(torch.load(folder / "vgg16.pth"))
    network.eval()
    source = to_tensor(Image.open(folder / "source.png"))[None]

    def objective(hook: Any) -> torch.Tensor:
        return -hook("features_25").square().mean()

    def dream() -> None:
        picture = source
        for octave in reversed(range(task["octaves"])):
            side = round(task["side"] * task["shrink"] ** octave)
            picture = torch.nn.functional.interpolate(picture, (side, side), mode="bicubic")
            pixels = picture.detach().clone().requires_grad_(True)
            render.render_vis(
                network, objective, lambda pixels=pixels: ([pixels], lambda: pixels),
                transforms=[transform.jitter(8)], thresholds=(task["steps"],), progress=False,
                show_image=False,
            )  # fmt: skip
            picture = pixels.detach()

    return measured(dream)


def main() -> None:
    import_torchvision()  # torch's CPU build lacks an operator that torchvision asks for
    task = json.loads(sys.argv[1])
    torch.set_num_threads(task["cores"])
    spent = {"neural-dream": neural_dream, "lucent": lucent}[task["peer"]](task)
    print(json.dumps({"seconds": spent.wall, "core_seconds": spent.cores, "memory": spent.memory}))


if __name__ == "__main__":
    main()
