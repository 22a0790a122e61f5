"""The figures of a run as markdown tables, for docs/measurements/speed.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Figures = dict[str, Any]


def markdown(figures: Figures) -> str:
    """All tables of a run."""
    writers = {
        "steps": _steps, "peers": _peers, "scaling": _scaling, "start": _start, "looks": _looks,
        "link": _link, "memory": _memory, "gpu": _gpu,
    }  # fmt: skip
    texts = [_machine(figures)]
    texts += [write(figures) for name, write in writers.items() if figures.get(name)]
    texts += [f"*{name} could not be measured: {why}*" for name, why in figures["failed"].items()]
    return "\n\n".join(texts)


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None, digits: int = 2) -> str:
    """Rounded to so many digits behind the point, or to three digits in all if it is large."""
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:.0f}"


def _machine(figures: Figures) -> str:
    what = figures["machine"]
    text = f"{what['processor']}, {what['cores']} cores, torch {what['torch']}"
    if what["gpu"]:
        text += f", {what['gpu']}"
    if "rates" in figures:
        one, every = figures["rates"]["one"], figures["rates"]["all"]
        text += f"; a product of matrices: {one:.0f} GFLOP/s on one core, {every:.0f} on all"
    return f"{text}; {figures['seconds'] / 60:.0f} minutes."


def _steps(figures: Figures) -> str:
    rows = (
        (
            row["target"], f"{row['megapixels']:g}", row["runner"], _number(row["seconds"]),
            _number(row["core_seconds"]), _number(row["ratio"]), _number(row["core_ratio"]),
            _number(row["floor"]),
            _number(row["memory"], 0),
        )
        for row in figures["steps"]
    )  # fmt: skip
    head = ("target", "MP", "", "s per MP-step", "core-s", "of plain", "core-s of plain",
            "of the floor's rate", "extra MB")  # fmt: skip
    text = _table(head, rows)
    if figures["missing_paths"]:
        text += f"\n\nNot here: {', '.join(figures['missing_paths'])}."
    return text


def _peers(figures: Figures) -> str:
    own = {"plain", "portable", "kernel", "autograd"}
    fastest = min((r["seconds"] for r in figures["peers"] if r["runner"] not in own), default=None)
    rows = (
        (
            row["runner"], _number(row["seconds"]), _number(row["core_seconds"]),
            _number(fastest / row["seconds"] if fastest else None), _number(row["memory"], 0),
        )
        for row in figures["peers"]
    )  # fmt: skip
    head = ("VGG16@25, 512², 2 octaves × 3 steps", "s per MP-step", "core-s",
            "× the fastest peer", "extra MB")  # fmt: skip
    text = _table(head, rows)
    for name, why in figures["missing_peers"].items():
        text += f"\n\n{name} could not be run: {why}."
    return text


def _scaling(figures: Figures) -> str:
    one = {(r["target"], r["runner"]): r["seconds"] for r in figures["scaling"] if r["cores"] == 1}
    rows = (
        (
            row["target"], row["runner"], row["cores"], _number(row["seconds"]),
            _number(one[row["target"], row["runner"]] / row["seconds"]),
        )
        for row in figures["scaling"]
    )  # fmt: skip
    return _table(("target", "", "cores", "s per MP-step", "× one core"), rows)


def _start(figures: Figures) -> str:
    start = figures["start"]
    return (
        f"Start: hello after {start['hello']:.2f} s, before torch is imported; the network is"
        f" loaded and warm after {start['ready']:.1f} s; `--help` takes {start['help']:.2f} s."
    )


def _looks(figures: Figures) -> str:
    looks = figures["looks"]
    first = looks["selection"][0]
    rows = (
        (
            f"{row['megapixels']:g}", _number(row["seconds"]), _number(row["bytes"] / 1e6, 1),
            _number(row["seconds"] / first["seconds"]),
        )
        for row in looks["selection"]
    )  # fmt: skip
    head = ("512 × 512 selected in a layer of MP", "s", "MB over the link", "of the smallest")
    seen = (
        (
            f"{row['megapixels']:g}", _number(row["first"]), _number(row["second"]),
            _number(row["last"]),
        )
        for row in looks["looks"]
    )  # fmt: skip
    looked = ("Look at a layer of MP, through the link", "first, s", "second, s", "last, s")
    return _table(looked, seen) + "\n\n" + _table(head, rows)


def _link(figures: Figures) -> str:
    rows = (
        (
            f"{row['megapixels']:g}", _number(row["bytes"] / 1e6, 0), _number(row["seconds"], 3),
            _number(row["client_seconds"], 3),
            _number(2 * row["bytes"] / row["seconds"] / 1e9),
        )
        for row in figures["link"]
    )  # fmt: skip
    head = ("RGBA, MP", "MB", "s there and back", "core-s of the client", "GB/s")
    text = _table(head, rows)
    dream = figures.get("default_dream")
    same = [r for r in figures["link"] if dream and r["megapixels"] == dream["megapixels"]]
    if dream and same:
        part = same[0]["seconds"] / dream["seconds"]
        text += (
            f"\n\nThe default dream of {dream['megapixels']:g} MP takes {dream['seconds']:.1f} s:"
            f" the link is {part:.2%} of it."
        )
    return text


def _memory(figures: Figures) -> str:
    names = ("megapixels", "input", "detail", "output", "anonymous", "beyond")
    rows = ([_number(row[name], 0) for name in names] for row in figures["memory"])
    return _table(("layer, MP", "input, MB", "detail", "output", "peak", "beyond these"), rows)


def _gpu(figures: Figures) -> str:
    card = figures["gpu"]
    rows = (
        (
            row["target"], f"{row['megapixels']:g}", _number(row["seconds"] * 1e3),
            _number(row["tflops"], 0), f"{row['part']:.0%}", _number(row["memory"], 0),
        )
        for row in card["rows"]
    )  # fmt: skip
    head = ("target", "MP", "ms per MP-step", "TFLOP/s", "of the product's", "extra MB")
    rates = card["product_tflops"]
    return (
        f"{card['device']}: a product of matrices {rates['bf16']:.0f} TFLOP/s in bf16,"
        f" {rates['fp32']:.0f} in fp32. The reference's job (1500 × 1001, 8 octaves × 40 steps,"
        f" VGG16@27): {card['reference_seconds']:.1f} s.\n\n" + _table(head, rows)
    )
