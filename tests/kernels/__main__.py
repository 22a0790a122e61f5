"""Builds the kernel for every target, proves what can be proven on this computer, and says it.

    python -m tests.kernels

Linux on x86-64 runs here; ARM runs in an emulator, if it is installed; Windows runs in
`python -m tests.windows`; macOS can't be run here: of it the file is inspected.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from tests.kernels import cases, inspecting, running
from tests.kernels.builds import TARGETS, built
from tests.kernels.comparing import Difference, compare, difference
from tests.kernels.loading import loaded, variants_of, variants_of_this_processor
from tests.kernels.recording import recorded
from tests.networks.kernel_checks import library


def main() -> None:
    print("| target | size | SHA-256 begins | needs | computed |\n|---|---|---|---|---|")
    for name in TARGETS:
        path = built(name)
        inspecting.check(name, path)
        needs = ", ".join(Path(one).name for one in inspecting.ALLOWED[name])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        size = f"{path.stat().st_size / 1000:.0f} kB"
        proof = PROOFS.get(name, lambda: "not here")()
        print(f"| `{name}` | {size} | `{digest}` | {needs} | {proof} |", flush=True)


def on_this_computer() -> str:
    path = built("manylinux_2_17_x86_64")
    variants = variants_of(path)
    assert variants == variants_of_this_processor()
    programs = cases.programs().values()
    found = [compare(path, variant, *each) for variant in variants for each in programs]
    return f"here, {' and '.join(variants)}: {_sentence(found)}"


def in_an_emulator() -> str:
    reason = running.why_not()
    if reason:
        return reason
    found = []
    with tempfile.TemporaryDirectory() as folder:
        program = running.driver(Path(folder))
        assert running.variants(program) == ["portable"]
        for each in cases.programs().values():
            record = recorded(loaded(library.LIBRARY, "portable"), *each)
            computed = running.replayed(program, record, Path(folder))
            found.append(difference(record.results(), computed, record.kinds))
    return f"in {running.EMULATOR}, portable: {_sentence(found)}"


def _sentence(found: list[Difference]) -> str:
    assert frozenset().union(*(each.kinds for each in found)) == cases.KINDS
    if all(each.bits for each in found):
        return f"the bits of the native library in all {len(found)} comparisons"
    worst = max(each.error for each in found)
    assert worst < 1e-5
    return f"within {worst:.1e} of the native library in {len(found)} comparisons"


PROOFS = {"manylinux_2_17_x86_64": on_this_computer, "manylinux_2_17_aarch64": in_an_emulator}

if __name__ == "__main__":
    main()
