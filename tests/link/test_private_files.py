"""Dreamlayer's own files on Windows, where no file is replaced that somebody has open."""

from __future__ import annotations

from pathlib import Path

import pytest

from dreamlink.client import private_files


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that are open elsewhere: each attempt to replace one takes it off the list."""
    open_files: list[Path] = []
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target in open_files:
            open_files.remove(target)
            raise PermissionError(13, "Access denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    return open_files


def test_a_file_is_replaced_when_its_readers_have_closed_it(
    tmp_path: Path, busy: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_files, "READERS_DONE", 3.0)
    path = tmp_path / "daemon.json"
    private_files.write(path, "old")
    busy += [path] * 3
    private_files.write(path, "new")
    assert private_files.read(path) == b"new"
    assert busy == []


def test_a_file_that_stays_open_is_an_error_and_stays_as_it_is(
    tmp_path: Path, busy: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_files, "READERS_DONE", 0.1)
    path = tmp_path / "daemon.json"
    private_files.write(path, "old")
    busy += [path] * 100
    with pytest.raises(PermissionError):
        private_files.write(path, "new")
    assert [each.name for each in tmp_path.iterdir()] == ["daemon.json"]
    assert private_files.read(path) == b"old"
