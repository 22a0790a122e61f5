"""A package index on this computer, with builds of PyTorch that are a few lines each."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from install.packages import locks

STUB = """
import os, types
__version__ = {version!r}
DEVICE = {device!r}

def usable(name):
    return types.SimpleNamespace(
        is_available=lambda: DEVICE == name and "CARD_IS_BROKEN" not in os.environ)

cuda, xpu = usable("cuda"), usable("xpu")
backends = types.SimpleNamespace(mps=usable("mps"))

class Ones:
    def __matmul__(self, other): return self
    def sum(self): return self
    def item(self): return 512.0

def ones(*shape, device):
    return Ones()
"""
RUNTIME = ("onnx", "onnxruntime_webgpu", "buffers")  # ONNX Runtime, and what only it needs


class StubIndex:
    """An index of wheels below a folder, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        handler = partial(_Handler, self, directory=str(folder))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()

    def fetched(self) -> list[str]:
        """The wheels that were fetched since the last call, with their indexes."""
        wheels = [path.lstrip("/") for path in self.asked if path.endswith(".whl")]
        self.asked.clear()
        return [
            f"{path.split('/')[-3]}: {path.rpartition('/')[2][: -len('-py3-none-any.whl')]}"
            for path in wheels
        ]

    def add(self, index: str, name: str, version: str, *requires: str, code: str = "") -> None:
        """Put a wheel with one module into an index."""
        folder = self.folder / index / name.replace("_", "-")
        folder.mkdir(parents=True, exist_ok=True)
        info = f"{name}-{version}.dist-info"
        files = {
            f"{name}/__init__.py": code,
            f"{info}/METADATA": "\n".join(
                ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
                + [f"Requires-Dist: {other}" for other in requires] + [""]
            ),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }  # fmt: skip
        record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            for path, text in (files | {f"{info}/RECORD": record}).items():
                wheel.writestr(path, text)

    def add_build(self, index: str, version: str, device: str, *requires: str) -> None:
        """Put a build of PyTorch 2.13.0 and of torchvision 0.28.0 into an index."""
        stub = STUB.format(version=f"2.13.0{version}", device=device)
        self.add(index, "torch", f"2.13.0{version}", *requires, code=stub)
        self.add(index, "torchvision", f"0.28.0{version}", f"torch==2.13.0{version}")

    def hashes(self, name: str, *versions: str) -> str:
        """The options for the wheels of these versions, as in a list of packages."""
        names = [f"{name}-{version}-py3-none-any.whl" for version in versions]
        wheels = [wheel for wanted in names for wheel in self.folder.rglob(wanted)]
        digests = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
        return " ".join(f"--hash=sha256:{digest}" for digest in digests)

    def lock(self, checkout: Path, *more: str) -> None:
        """Write the lists of packages of a project; `more` are PyTorch's, e.g. name==1.0."""
        pinned = [pin.partition("==") for pin in ("nvidia_stub==13.0", "nvidia_more==1.0", *more)]
        also = [f"{name}=={version} {self.hashes(name, version)}" for name, _, version in pinned]
        alone = {"libraries": "sums", "build": "tools"}
        lists = {key: [f"{name}==1.0 {self.hashes(name, '1.0')}"] for key, name in alone.items()}
        for build in ("cpu", "cu126", "cu130"):
            torch, vision = f"2.13.0+{build}", f"0.28.0+{build}"
            lists[f"torch-{build}"] = [
                f"torch=={torch} {self.hashes('torch', torch)}",
                f"torchvision==0.28.0 {self.hashes('torchvision', vision, '0.28.0')}",
                *(also if build != "cpu" else []),
            ]
        lists["torch-pypi"] = [
            f"torch===2.13.0 {self.hashes('torch', '2.13.0')}",
            f"torchvision===0.28.0 {self.hashes('torchvision', '0.28.0')}",
        ]
        lists["webgpu"] = [f"{name}==1.0 {self.hashes(name, '1.0')}" for name in RUNTIME]
        folder = checkout / "install" / "locked"
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in lists.items():
            (folder / f"{name}.txt").write_text("\n".join([*lines, ""]))
        pythons = [f"3.{minor}" for minor in range(10, 15)]
        everywhere = dict.fromkeys(locks.SYSTEMS.values(), pythons)
        told = {name.removeprefix("torch-"): everywhere for name in lists if "torch" in name}
        (folder / "coverage.json").write_text(json.dumps(told))


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, index: StubIndex, *arguments: object, directory: str) -> None:
        self.index = index
        super().__init__(*arguments, directory=directory)

    def do_GET(self) -> None:
        self.index.asked.append(unquote(self.path))
        super().do_GET()

    def end_headers(self) -> None:
        if self.path.endswith(".whl"):
            self.send_header("Cache-Control", "max-age=365000000, immutable")
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def stub_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubIndex]:
    """PyTorch's index below whl/, and below simple/ the one that pip is told to use."""
    index = StubIndex(tmp_path / "index")
    for name, device in (("cpu", ""), ("cu126", "cuda"), ("cu130", "cuda"), ("xpu", "xpu")):
        needs = ("sums", "nvidia_stub") if device == "cuda" else ("sums",)
        index.add_build(f"whl/{name}", f"+{name}", device, *needs)
        index.add(f"whl/{name}", "nvidia_stub", "13.0", "nvidia_more")
    index.add_build("simple", "+cpu", "", "sums")
    index.add_build("simple", "", "", "sums")
    index.add("simple", "nvidia_more", "1.0")
    index.add("simple", "sums", "1.0")
    index.add("simple", "sums", "2.0")
    index.add("simple", "tools", "1.0")
    index.add("simple", "buffers", "1.0")
    index.add("simple", "onnx", "1.0", "buffers", "sums")
    index.add("simple", "onnxruntime_webgpu", "1.0", "buffers")
    for name in ("FIND_LINKS", "EXTRA_INDEX_URL", "CONSTRAINT", "NO_INDEX"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("DREAMLAYER_TORCH_INDEX", f"{index.address}/whl/")
    yield index
    index.stop()
