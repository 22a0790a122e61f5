"""The figures of a run as pictures. Runs in an environment with matplotlib:

python plots.py FIGURES.json FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

Figures = dict[str, Any]
DASHES = (":", "--", "-")


def steps(figures: Figures, axes: Any) -> None:
    """Seconds per megapixel-step against the size, a line for each target and runner."""
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in figures["steps"]:
        key = row["target"], row["runner"]
        series.setdefault(key, []).append((row["megapixels"], row["seconds"]))
    _lines(axes, series, "megapixels", "seconds per megapixel-step")
    axes.set_xscale("log")
    axes.set_yscale("log")


def extra(figures: Figures, axes: Any) -> None:
    """Extra memory of a step against the size."""
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in figures["steps"]:
        if row["memory"] is not None:
            key = row["target"], row["runner"]
            series.setdefault(key, []).append((row["megapixels"], row["memory"]))
    _lines(axes, series, "megapixels", "extra memory, MB")
    axes.set_xscale("log")


def floor(figures: Figures, axes: Any) -> None:
    """How much of the matrix product's rate is reached."""
    rows = [row for row in figures["steps"] if row["megapixels"] == 1.0]
    axes.barh([f"{row['target']} {row['runner']}" for row in rows], [row["floor"] for row in rows])
    axes.axvline(1.0, color="black")
    axes.set_xlabel("of the rate of a product of matrices, at 1 MP")


def peers(figures: Figures, axes: Any) -> None:
    """Seconds per megapixel-step of all programs."""
    rows = sorted(figures["peers"], key=lambda row: -row["seconds"])
    axes.barh([row["runner"] for row in rows], [row["seconds"] for row in rows])
    axes.set_xlabel("seconds per megapixel-step, VGG16@25, 512²")


def scaling(figures: Figures, axes: Any) -> None:
    """How many times faster than on one core."""
    rows = figures["scaling"]
    one = {(r["target"], r["runner"]): r["seconds"] for r in rows if r["cores"] == 1}
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        key = row["target"], row["runner"]
        series.setdefault(key, []).append((row["cores"], one[key] / row["seconds"]))
    _lines(axes, series, "cores", "times one core")


def link(figures: Figures, axes: Any) -> None:
    """Seconds that pixels are under way."""
    series = {("link", ""): [(r["megapixels"], r["seconds"]) for r in figures["link"]]}
    _lines(axes, series, "megapixels", "seconds there and back")


def start(figures: Figures, axes: Any) -> None:
    """What a user waits for at the beginning."""
    values = {"hello": figures["start"]["hello"], "--help": figures["start"]["help"]}
    if "looks" in figures:
        values["first look"] = figures["looks"]["looks"][0]["first"]
    axes.barh(list(values), list(values.values()))
    axes.set_xlabel("seconds")


def selection(figures: Figures, axes: Any) -> None:
    """A selection's time against its layer's size."""
    rows = figures["looks"]["selection"]
    series = {("512 × 512 selected", ""): [(r["megapixels"], r["seconds"]) for r in rows]}
    _lines(axes, series, "megapixels of the layer", "seconds")
    axes.set_ylim(bottom=0)


def memory(figures: Figures, axes: Any) -> None:
    """Extra memory of a whole dream against the layer's size."""
    series = {
        (name, ""): [(row["megapixels"], row[name]) for row in figures["memory"]]
        for name in ("anonymous", "beyond")
    }
    _lines(axes, series, "megapixels", "MB at the peak, and beyond input, detail and output")


def gpu(figures: Figures, axes: Any) -> None:
    """Achieved rate on the GPU."""
    rows = figures["gpu"]["rows"]
    names = [f"{row['target']} {row['megapixels']:g} MP" for row in rows]
    axes.barh(names, [row["tflops"] for row in rows])
    axes.axvline(figures["gpu"]["product_tflops"]["bf16"], color="black")
    axes.set_xlabel(f"TFLOP/s on {figures['gpu']['device']}")


PLOTS = {
    "steps": (steps, extra, floor), "peers": (peers,), "scaling": (scaling,), "link": (link,),
    "start": (start,), "looks": (selection,), "memory": (memory,), "gpu": (gpu,),
}  # fmt: skip


def _lines(axes: Any, series: dict[tuple[str, str], Any], along: str, up: str) -> None:
    """A colour for each target, a dash for each runner."""
    targets, runners = (list(dict.fromkeys(key[axis] for key in series)) for axis in (0, 1))
    for (target, runner), points in series.items():
        axes.plot(
            *zip(*points, strict=True), DASHES[runners.index(runner) % len(DASHES)], marker="o",
            color=f"C{targets.index(target)}", label=f"{target} {runner}".strip(),
        )  # fmt: skip
    axes.set_xlabel(along)
    axes.set_ylabel(up)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def main() -> None:
    figures = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = Path(sys.argv[2])
    for part, drawings in PLOTS.items():
        for draw in drawings if figures.get(part) else ():
            figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
            draw(figures, axes)
            figure.savefig(folder / f"{draw.__name__}.png", dpi=120)
            plt.close(figure)


if __name__ == "__main__":
    main()
