"""A process that dreams in one way, on one target, and reports the cost of each dream.

It reads a task as a line of JSON and answers with another. Runner starts the process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from dreamlayer.runtime import allocator
from dreamlayer.server.lifecycle import process
from tests.bench.speeds.measuring import Spent, measured

MODULE = "tests.bench.speeds.runner"
ROOT = Path(__file__).parents[3]


class Missing(Exception):
    """There is no such runner here."""


class Runner:
    """Starts the process; a context that ends it."""

    def __init__(self, name: str, target: str, weights: Path) -> None:
        command = [sys.executable, "-m", MODULE, name, target, str(weights)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        if not self._read():
            self._process.wait()
            raise Missing(name)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def dream(
        self,
        recipe: dict[str, Any],
        megapixels: float,
        ratio: float = 0.0,
        cores: int = 0,
        fresh: bool = True,
    ) -> Spent:
        """Dream on a photo of this size; `cores` 0: on all cores."""
        assert self._process.stdin is not None
        task = {
            "recipe": recipe, "megapixels": megapixels, "ratio": ratio, "cores": cores,
            "fresh": fresh,
        }  # fmt: skip
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return Spent(**self._read())

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        report: dict[str, Any] = json.loads(self._process.stdout.readline() or "{}")
        return report


def main() -> None:
    name, title, weights = sys.argv[1:]
    assert "torch" not in sys.modules, "It would not listen to the settings any more."
    if name != "plain":
        allocator.restart_once()
        process.configure()
    import torch

    from dreamlayer.engine.objectives.binding import bind
    from dreamlayer.engine.tiling import workers
    from dreamlayer.networks.registry import user_store
    from dreamlink.recipe.recipe import Recipe
    from tests.bench.speeds import steps
    from tests.engine.plain import plain_dream

    user_store.keep_in(Path(weights))
    target = next(one for one in steps.titled(title) if one.title == title)
    if name == "plain":
        plain = steps.PlainNetwork(target)
        objective = bind(
            target.recipe.expression(), steps.extract(target.model, [target.layer]), None
        )
    else:
        path = next(path for path, called in steps.PATHS.items() if called == name)
        network = steps.ours(target, path)
        if network is None:
            return
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        torch.set_num_threads(task["cores"] or workers.cores())
        workers.shared.limit(task["cores"])
        source = steps.picture(task["megapixels"], task["ratio"] or steps.RATIO)
        recipe = Recipe.of(task["recipe"])
        if name == "plain":
            work = partial(plain_dream, source, plain, objective, recipe, steps.PLAIN_TILE)
        else:
            work = partial(steps.run, source, network, recipe)
        took = measured(work, task["fresh"])
        print(json.dumps(vars(took)), flush=True)


if __name__ == "__main__":
    main()
