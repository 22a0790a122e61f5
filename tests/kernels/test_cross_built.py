"""The libraries that Zig builds do what the one does that this computer's own compiler builds.

All targets take more than a minute to build: the others, and the one for ARM in an emulator, are
tested by `python -m tests.kernels`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.kernels import cases, inspecting
from tests.kernels.builds import NO_ZIG, SOURCES, TARGETS, built, has_zig
from tests.kernels.comparing import compare
from tests.kernels.loading import variants_of, variants_of_this_processor
from tests.networks.kernel_checks import VARIANTS

IN_CI = ("win_amd64", "manylinux_2_17_x86_64")
HERE = "manylinux_2_17_x86_64"
runs_here = pytest.mark.skipif(
    sys.platform != "linux" or not VARIANTS or "avx2" not in variants_of_this_processor(),
    reason="the library for Linux and x86-64 can't be compared here",
)
needs_zig = pytest.mark.skipif(not has_zig(), reason=NO_ZIG)


@pytest.mark.skipif(
    sys.platform != "linux" or not VARIANTS, reason="no kernel, or no /proc/cpuinfo"
)
def test_the_installed_library_has_this_processors_variants():
    assert variants_of_this_processor() == VARIANTS


@pytest.mark.slow
@needs_zig
@runs_here
def test_zigs_library_has_this_processors_variants():
    assert variants_of(built(HERE)) == variants_of_this_processor()


@pytest.mark.slow
@needs_zig
@pytest.mark.parametrize("target", IN_CI)
def test_it_needs_only_what_every_such_system_has(target):
    inspecting.check(target, built(target))


@pytest.mark.slow
@needs_zig
@runs_here
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_computes_the_same_bits(variant):
    kinds = set()
    for name, (program, size) in cases.programs().items():
        compared = compare(built(HERE), variant, program, size)
        assert compared.bits, f"{name}: {compared}"
        kinds |= compared.kinds
    assert kinds == cases.KINDS


@pytest.mark.slow
@needs_zig
def test_the_same_sources_elsewhere_give_the_same_bytes(tmp_path):
    sources = shutil.copytree(SOURCES, tmp_path / "elsewhere")
    library = tmp_path / TARGETS["win_amd64"].file
    code = (
        "import sys; from pathlib import Path; import kernel_compiler, kernel_targets;"
        "target = kernel_targets.TARGETS['win_amd64'];"
        "compiler = kernel_compiler.cross_compiler(target);"
        "kernel_compiler.compile_library(Path(sys.argv[1]), compiler)"
    )
    subprocess.run([sys.executable, "-c", code, library], cwd=sources, check=True)
    assert library.read_bytes() == built("win_amd64").read_bytes()
