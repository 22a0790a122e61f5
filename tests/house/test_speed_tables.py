"""The tables of the speed bench: they say what is missing and show the rest."""

from __future__ import annotations

from typing import Any

from tests.bench.speeds import tables

MACHINE = {"processor": "A CPU", "cores": 2, "torch": "2.13", "gpu": None}
STEP = {
    "target": "VGG16@25", "megapixels": 1.0, "seconds": 5.0, "core_seconds": 10.0, "ratio": 1.0,
    "core_ratio": 1.0, "floor": 0.8, "memory": 500.0,
}  # fmt: skip


def figures(**parts: Any) -> dict[str, Any]:
    return {"machine": MACHINE, "seconds": 120.0, "failed": {}, **parts}


def test_a_failed_part_is_named_and_the_others_are_shown() -> None:
    steps = [{**STEP, "runner": "plain"}, {**STEP, "runner": "kernel", "ratio": 0.25}]
    text = tables.markdown(
        figures(steps=steps, missing_paths=["portable"], failed={"link": "OSError: no"})
    )
    assert "| VGG16@25 | 1 | kernel | 5.00 | 10.00 | 0.25 |" in text
    assert "Not here: portable." in text
    assert "link could not be measured: OSError: no" in text


def test_times_are_compared_with_the_fastest_peer() -> None:
    rows = [
        {"runner": name, "seconds": seconds, "core_seconds": 2 * seconds, "memory": None}
        for name, seconds in (("plain", 5.0), ("kernel", 2.0), ("lucent", 16.0))
    ]
    text = tables.markdown(figures(peers=rows, missing_peers={"neural-dream": "pip failed"}))
    assert "| kernel | 2.00 | 4.00 | 8.00 | – |" in text
    assert "neural-dream could not be run: pip failed." in text


def test_without_a_peer_the_comparison_is_empty() -> None:
    rows = [{"runner": "kernel", "seconds": 2.0, "core_seconds": 4.0, "memory": 90.0}]
    why = {"neural-dream": "no network", "lucent": "no network"}
    assert "| kernel | 2.00 | 4.00 | – | 90 |" in tables.markdown(
        figures(peers=rows, missing_peers=why)
    )


def test_the_link_is_shown_as_a_share_of_a_dream_of_the_same_size() -> None:
    link = [
        {"megapixels": size, "bytes": int(4e6 * size), "seconds": size / 100, "client_seconds": 0.0}
        for size in (4.0, 16.0)
    ]
    text = tables.markdown(figures(link=link, default_dream={"megapixels": 4.0, "seconds": 20.0}))
    assert "the link is 0.20% of it" in text
