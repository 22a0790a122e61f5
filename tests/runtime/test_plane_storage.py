"""Large planes are stored in memory or in nameless files, or refused with a message."""

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
    """The number of open files."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def told(monkeypatch, free):
    monkeypatch.setattr(plane_storage, "free_memory", lambda: free)


def test_a_large_plane_goes_to_a_nameless_file(tmp_path, monkeypatch):
    told(monkeypatch, 4000)
    before = descriptors()
    plane = PlaneStorage(tmp_path / "own")((1, 3, 20, 25), torch.int16, CPU)
    assert plane.shape == (1, 3, 20, 25)
    assert not plane.any()
    plane += 7
    assert (plane == 7).all()
    if os.name == "posix":
        assert list((tmp_path / "own").iterdir()) == []
    if sys.platform == "linux":
        assert Path("/proc/self/maps").read_text().count(str(tmp_path)) == 1
        del plane
        assert str(tmp_path) not in Path("/proc/self/maps").read_text()
        assert descriptors() == before


def test_planes_that_fit_into_free_memory_stay_there(tmp_path, monkeypatch):
    told(monkeypatch, 4 * 3000)
    plane = PlaneStorage(tmp_path / "own")((1, 3, 20, 25), torch.int16, CPU)
    assert not plane.any()
    assert not (tmp_path / "own").exists()


TAKING = """
import sys
from dreamlayer.runtime import allocator
allocator.keep_freed()
import psutil, torch
from pathlib import Path
from dreamlayer.runtime.plane_storage import PlaneStorage
held = lambda: psutil.Process().memory_info().rss
before = held()
plane = PlaneStorage(Path(sys.argv[1]))((1, 3, 2000, 2500), torch.int16, torch.device("cpu"))
plane.fill_(7)
full = held()
del plane
print(full - before, held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it tells there what it holds")
def test_memory_of_a_large_plane_is_returned_at_once(tmp_path):
    """It must not stay in the heap, where it is too small for the next octave's plane."""
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


def test_planes_on_other_devices_are_never_stored_in_files(tmp_path, monkeypatch):
    told(monkeypatch, 0)
    plane = PlaneStorage(tmp_path / "own")((1, 3, 20, 25), torch.float32, torch.device("meta"))
    assert plane.device.type == "meta"
    assert not (tmp_path / "own").exists()


def test_a_full_disk_is_reported_before_the_dream_starts(tmp_path, monkeypatch):
    told(monkeypatch, 0)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: SimpleNamespace(free=plane_storage.SPARE + 2999)
    )
    with pytest.raises(OutOfStorage, match=r"needs 1 MiB more of memory, or of the disk .*smaller"):
        PlaneStorage(tmp_path)((1, 3, 20, 25), torch.int16, CPU)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system has none")
def test_a_disk_that_becomes_full_is_reported(tmp_path, monkeypatch):
    """Writing a page for which the disk has no space would kill the daemon."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    told(monkeypatch, 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutOfStorage, match="neither has them"):
        PlaneStorage(tmp_path)((1, 3, 20, 25), torch.int16, CPU)


def test_free_memory_is_plausible():
    assert 1 << 20 < plane_storage.free_memory() < 1 << 50


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
def test_a_containers_memory_limit_counts(tmp_path, monkeypatch):
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
