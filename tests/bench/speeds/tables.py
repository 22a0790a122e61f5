"""What was measured as markdown, for daemon/README.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Found = dict[str, Any]


def markdown(found: Found) -> str:
    """All tables of a run."""
    writers = {
        "steps": _steps, "peers": _peers, "scaling": _scaling, "start": _start, "looks": _looks,
        "link": _link, "memory": _memory, "gpu": _gpu,
    }  # fmt: skip
    texts = [_machine(found)]
    texts += [write(found) for name, write in writers.items() if found.get(name)]
    texts += [f"*{name} could not be measured: {why}*" for name, why in found["failed"].items()]
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


def _machine(found: Found) -> str:
    what = found["machine"]
    text = f"{what['processor']}, {what['cores']} cores, torch {what['torch']}"
    if what["gpu"]:
        text += f", {what['gpu']}"
    if "rates" in found:
        one, every = found["rates"]["one"], found["rates"]["all"]
        text += f"; a product of matrices: {one:.0f} GFLOP/s on one core, {every:.0f} on all"
    return f"{text}; {found['seconds'] / 60:.0f} minutes."


def _steps(found: Found) -> str:
    rows = (
        (
            row["target"], f"{row['megapixels']:g}", row["runner"], _number(row["seconds"]),
            _number(row["core_seconds"]), _number(row["ratio"]), _number(row["core_ratio"]),
            _number(row["floor"]),
            _number(row["memory"], 0),
        )
        for row in found["steps"]
    )  # fmt: skip
    head = ("target", "MP", "", "s per MP-step", "core-s", "of plain", "core-s of plain",
            "of the floor's rate", "extra MB")  # fmt: skip
    text = _table(head, rows)
    if found["missing_paths"]:
        text += f"\n\nNot here: {', '.join(found['missing_paths'])}."
    return text


def _peers(found: Found) -> str:
    own = {"plain", "portable", "kernel", "autograd"}
    fastest = min((r["seconds"] for r in found["peers"] if r["runner"] not in own), default=None)
    rows = (
        (
            row["runner"], _number(row["seconds"]), _number(row["core_seconds"]),
            _number(fastest / row["seconds"] if fastest else None), _number(row["memory"], 0),
        )
        for row in found["peers"]
    )  # fmt: skip
    head = ("VGG16@25, 512², 2 octaves × 3 steps", "s per MP-step", "core-s",
            "× the fastest peer", "extra MB")  # fmt: skip
    text = _table(head, rows)
    for name, why in found["missing_peers"].items():
        text += f"\n\n{name} could not be run: {why}."
    return text


def _scaling(found: Found) -> str:
    one = {(r["target"], r["runner"]): r["seconds"] for r in found["scaling"] if r["cores"] == 1}
    rows = (
        (
            row["target"], row["runner"], row["cores"], _number(row["seconds"]),
            _number(one[row["target"], row["runner"]] / row["seconds"]),
        )
        for row in found["scaling"]
    )  # fmt: skip
    return _table(("target", "", "cores", "s per MP-step", "× one core"), rows)


def _start(found: Found) -> str:
    start = found["start"]
    return (
        f"Start: hello after {start['hello']:.2f} s, before torch is imported; the network is"
        f" loaded and warm after {start['ready']:.1f} s; `--help` takes {start['help']:.2f} s."
    )


def _looks(found: Found) -> str:
    looks = found["looks"]
    first = looks["selection"][0]
    rows = (
        (
            f"{row['megapixels']:g}", _number(row["seconds"]), _number(row["bytes"] / 1e6, 1),
            _number(row["seconds"] / first["seconds"]),
        )
        for row in looks["selection"]
    )  # fmt: skip
    head = ("512 × 512 selected in a layer of MP", "s", "MB over the link", "of the smallest")
    return (
        f"Quick look (768 × 512, default recipe, through the link): the first after"
        f" {looks['first_look']:.2f} s, the last after {looks['last_look']:.1f} s.\n\n"
        + _table(head, rows)
    )


def _link(found: Found) -> str:
    rows = (
        (
            f"{row['megapixels']:g}", _number(row["bytes"] / 1e6, 0), _number(row["seconds"], 3),
            _number(row["client_seconds"], 3),
            _number(2 * row["bytes"] / row["seconds"] / 1e9),
        )
        for row in found["link"]
    )  # fmt: skip
    head = ("RGBA, MP", "MB", "s there and back", "core-s of the client", "GB/s")
    text = _table(head, rows)
    dream = found.get("default_dream")
    same = [r for r in found["link"] if dream and r["megapixels"] == dream["megapixels"]]
    if dream and same:
        part = same[0]["seconds"] / dream["seconds"]
        text += (
            f"\n\nThe default dream of {dream['megapixels']:g} MP takes {dream['seconds']:.1f} s:"
            f" the link is {part:.2%} of it."
        )
    return text


def _memory(found: Found) -> str:
    names = ("megapixels", "input", "detail", "output", "anonymous", "beyond")
    rows = ([_number(row[name], 0) for name in names] for row in found["memory"])
    return _table(("layer, MP", "input, MB", "detail", "output", "peak", "beyond these"), rows)


def _gpu(found: Found) -> str:
    told = found["gpu"]
    rows = (
        (
            row["target"], f"{row['megapixels']:g}", _number(row["seconds"] * 1e3),
            _number(row["tflops"], 0), f"{row['part']:.0%}", _number(row["memory"], 0),
        )
        for row in told["rows"]
    )  # fmt: skip
    head = ("target", "MP", "ms per MP-step", "TFLOP/s", "of the product's", "extra MB")
    rates = told["product_tflops"]
    return (
        f"{told['device']}: a product of matrices {rates['bf16']:.0f} TFLOP/s in bf16,"
        f" {rates['fp32']:.0f} in fp32. The reference's job (1500 × 1001, 8 octaves × 40 steps,"
        f" VGG16@27): {told['reference_seconds']:.1f} s.\n\n" + _table(head, rows)
    )
