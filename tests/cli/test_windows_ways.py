"""What Windows does otherwise: its counters may be turned off, its encoding is not UTF-8."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dreamlayer.files import memory


def test_memory_is_counted_where_swap_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("PdhAddEnglishCounterW failed. Performance counters may be disabled.")

    monkeypatch.setattr(psutil, "swap_memory", fail)
    assert memory.available() > 0


def test_a_daemon_says_in_utf8_why_it_does_not_start(tmp_path: Path) -> None:
    home = tmp_path / "Zoë Müller"
    home.write_text("a file, not a folder")
    done = subprocess.run(
        [sys.executable, "-m", "dreamlayer", "serve"],
        env={**os.environ, "DREAMLAYER_HOME": str(home), "PYTHONIOENCODING": "latin-1"},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert str(home) in done.stderr.decode("utf-8")
