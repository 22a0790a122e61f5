"""A wheel for a target has the library, or there is no wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.kernels.builds import CHECKOUT, NO_ZIG, SOURCES, has_zig

BUILD = "from hatchling.cli import hatchling; raise SystemExit(hatchling())"
HIDDEN = "import sys; sys.modules['ziglang'] = None; "
BROKEN = (
    f"import sys; sys.path.insert(0, {str(SOURCES)!r}); import kernel_compiler;"
    " kernel_compiler.HERE = kernel_compiler.HERE / 'nowhere'; "
)
pytestmark = pytest.mark.skipif(not has_zig(), reason=NO_ZIG)


def test_the_compiler_by_hash_is_the_one_of_the_project():
    locked = CHECKOUT / "install" / "locked" / "cross.txt"
    pinned = re.findall(r"^ziglang==\S+", locked.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(pinned) == 1
    assert f'"{pinned[0]}"' in (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")


def build(target: str, folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", before + BUILD, "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
        env={**os.environ, "DREAMLAYER_KERNEL_TARGET": target},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "before", "sentence"),
    [
        ("win32", "", "DREAMLAYER_KERNEL_TARGET is 'win32': it can be manylinux_2_17_x86_64,"),
        ("win_amd64", HIDDEN, "No wheel was built for win_amd64: the compiler for other systems"),
        ("win_amd64", BROKEN, "No wheel was built for win_amd64: its kernel could not be compiled"),
    ],
)
def test_a_build_without_the_library_fails_with_a_sentence(target, before, sentence, tmp_path):
    done = build(target, tmp_path, before)
    assert done.returncode != 0
    assert sentence in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_wheel_for_windows_has_a_dll(tmp_path):
    done = build("win_amd64", tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.iterdir()
    assert wheel.name.endswith("-py3-none-win_amd64.whl")
    with zipfile.ZipFile(wheel) as file:
        names = [name for name in file.namelist() if "dreamkernel" in name]
        assert names == ["dreamlayer/networks/executors/kernel/dreamkernel.dll"]
        (record,) = (name for name in file.namelist() if name.endswith(".dist-info/WHEEL"))
        assert "Root-Is-Purelib: false" in file.read(record).decode()
