"""Where large planes are kept: in memory, in nameless files, or refused with a sentence."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dreamlayer.runtime import plane_storage
from dreamlayer.runtime.plane_storage import OutOfStorage, PlaneStorage

CPU = torch.device("cpu")


def descriptors():
    """How many files are open."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def told(monkeypatch, free):
    monkeypatch.setattr(plane_storage, "free_memory", lambda: free)


def test_a_large_plane_goes_to_a_file_that_has_no_name(tmp_path, monkeypatch):
    told(monkeypatch, 4000)
    before = descriptors()
    found = PlaneStorage(tmp_path / "own")((1, 3, 20, 25), torch.int16, CPU)
    assert found.shape == (1, 3, 20, 25)
    assert not found.any()
    found += 7
    assert (found == 7).all()
    if os.name == "posix":
        assert list((tmp_path / "own").iterdir()) == []
    if sys.platform == "linux":
        assert Path("/proc/self/maps").read_text().count(str(tmp_path)) == 1
        del found
        assert str(tmp_path) not in Path("/proc/self/maps").read_text()
        assert descriptors() == before


def test_what_free_memory_holds_stays_there(tmp_path, monkeypatch):
    told(monkeypatch, 4 * 3000)
    found = PlaneStorage(tmp_path / "own")((1, 3, 20, 25), torch.int16, CPU)
    assert not found.any()
    assert not (tmp_path / "own").exists()


TAKING = """
import sys
from dreamlayer.runtime import allocator
allocator.keep_freed()
import psutil, torch
from pathlib import Path
from dreamlayer.runtime.plane_storage import Room
held = lambda: psutil.Process().memory_info().rss
before = held()
plane = Room(Path(sys.argv[1]))((1, 3, 2000, 2500), torch.int16, torch.device("cpu"))
plane.fill_(7)
full = held()
del plane
print(full - before, held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it tells there what it holds")
def test_a_large_plane_in_memory_goes_back_at_once(tmp_path):
    """It does not stay in the daemon's heap, too small for the next octave's."""
    command = [sys.executable, "-c", TAKING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    full, after = map(int, done.stdout.split())
    assert full > 29e6
    assert after < 8e6


@pytest.mark.parametrize(("limit", "mapped"), [(2999, True), (3000, False)])
def test_the_limit_can_be_set(tmp_path, limit, mapped, monkeypatch):
    told(monkeypatch, 0)
    PlaneStorage(tmp_path / "own", limit)((1, 3, 20, 25), torch.int16, CPU)
    assert (tmp_path / "own").exists() == mapped


def test_what_lies_on_another_device_is_never_put_into_a_file(tmp_path, monkeypatch):
    told(monkeypatch, 0)
    found = PlaneStorage(tmp_path / "own")((1, 3, 20, 25), torch.float32, torch.device("meta"))
    assert found.device.type == "meta"
    assert not (tmp_path / "own").exists()


def test_a_full_disk_is_said_before_anything_is_computed(tmp_path, monkeypatch):
    told(monkeypatch, 0)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: SimpleNamespace(free=plane_storage.SPARE + 2999)
    )
    with pytest.raises(OutOfStorage, match=r"needs 1 MiB more of memory, or of the disk .*smaller"):
        PlaneStorage(tmp_path)((1, 3, 20, 25), torch.int16, CPU)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system has none")
def test_a_disk_that_fills_up_meanwhile_is_said_too(tmp_path, monkeypatch):
    """A page of a file that has no place on the disk would end the daemon when it is written."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    told(monkeypatch, 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutOfStorage, match="neither has them"):
        PlaneStorage(tmp_path)((1, 3, 20, 25), torch.int16, CPU)


def test_free_memory_is_known_here():
    assert 1 << 20 < plane_storage.free_memory() < 1 << 50


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
def test_a_container_s_limit_counts(tmp_path, monkeypatch):
    files = {
        "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 8000 kB\n",
        "/proc/self/cgroup": "0::/box\n",
        "/sys/fs/cgroup/box/memory.max": "5000000\n",
        "/sys/fs/cgroup/box/memory.current": "2000000\n",
    }
    monkeypatch.setattr(plane_storage.Path, "read_text", lambda path: files[str(path)])
    assert plane_storage.free_memory() == 3000000
    files["/sys/fs/cgroup/box/memory.max"] = "max\n"
    assert plane_storage.free_memory() == 8000 << 10
