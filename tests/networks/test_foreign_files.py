"""Files that are no weights, hostile ones, and files that change: each gets one sentence."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import shutil
import struct
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor

from dreamlayer.networks.network import extract
from dreamlayer.networks.registry import registry, state_dict, user_store, weight_files
from dreamlayer.networks.registry.state_dict import UnfitWeights
from dreamlayer.networks.registry.weight_files import CannotAdd
from tests.networks.random_states import random_state

ARCH = "squeezenet1_1"
FIRST = "features.0.weight"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(user_store, "_current", user_store.current())  # put back in the end
    user_store.keep_in(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return random_state(ARCH, 7)


def add(path: Path) -> None:
    weight_files.add("mine", ARCH, path)


def onnx() -> bytes:
    return b"\x08\x07\x12\x07pytorch\x1a\x052.3.0:" + os.urandom(300)


def archive(*names: str) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as file:
        for name in names:
            file.writestr(name, b"content")
    return into.getvalue()


KINDS = [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "git-lfs"),
    (b"\xef\xbb\xbf \n<!DOCTYPE HTML>\n<html>sign in</html>", "a web page"),
    (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "a web page"),
    (b"", "empty"),
    (bytes(5000), "nothing but zeros"),
    (b"\x89PNG\r\n\x1a\n" + bytes(100), "a picture"),
    (b"\xff\xd8\xff\xe0" + bytes(100), "a picture"),
    (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(100), "a picture"),
    (b"\0\0\0\x18ftypheic" + bytes(100), "a film or a picture"),
    (b"GGUF\x03\0\0\0" + bytes(100), "a GGUF file"),
    (b"\x1c\0\0\0TFL3" + bytes(100), "a TensorFlow Lite network"),
    (b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras"),
    (b"\x93NUMPY\x01\0" + bytes(100), "NumPy array"),
    (onnx(), "an ONNX network"),
    (b"\x1f\x8b\x08" + bytes(100), "unpack it"),
    (b'{"error": "not found"}', "a text"),
    ("Zugriff verweigert, bitte anmelden …".encode(), "a text"),
    ("Zugriff".encode("utf-16"), "a text"),
    (random.Random(1).randbytes(64) + b"\x80" * 4000, "is not a file of weights, or is cut short"),
    (archive("a.npy", "b.npy"), "an archive of NumPy arrays"),
    (archive("config.json", "model.weights.h5"), "unpack it first"),
    (archive("net/constants.pkl", "net/data.pkl"), "TorchScript"),
]


@pytest.mark.parametrize("suffix", ["pth", "safetensors", "bin"])
@pytest.mark.parametrize(("content", "sentence"), KINDS, ids=[name for _, name in KINDS])
def test_a_file_that_is_no_weights_is_named_for_what_it_is(
    content: bytes, sentence: str, suffix: str, tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(content)
    with pytest.raises(UnfitWeights, match=sentence) as caught:
        add(path)
    assert str(path) in str(caught.value)
    assert not list(folder.glob("*"))


@pytest.mark.parametrize("name", ["w.SAFETENSORS", "w.SafeTensors", "w.pth", "w", "w.ckpt.part"])
def test_weights_are_told_by_their_content(
    name: str, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    save_file(weights, tmp_path / name)
    add(tmp_path / name)
    assert registry.ready(registry.find("mine"))


def test_files_of_old_torch_versions_are_read(weights: dict[str, Tensor], tmp_path: Path) -> None:
    for name in ("w.pth", "w.SAFETENSORS"):
        torch.save(weights, tmp_path / name, _use_new_zipfile_serialization=False)
        add(tmp_path / name)
        weight_files.remove("mine")


@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_a_download_that_broke_off_anywhere_is_refused(
    kind: str, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "w"
    if kind == "safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    for length in (9, 30, 700, 5000, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UnfitWeights, match="download it again"):
            add(path)


# Numbers.


def changed(weights: dict[str, Tensor], array: Tensor) -> dict[str, Tensor]:
    return {**weights, FIRST: array}


NUMBERS: list[tuple[str, Callable[[Tensor], Tensor], str]] = [
    ("too large for 32 bits", lambda a: torch.full_like(a, 1e300, dtype=torch.float64), "32 bits"),
    ("half infinite", lambda a: torch.full_like(a, float("inf"), dtype=torch.float16), "32 bits"),
    ("bfloat16 NaN", lambda a: torch.full_like(a, float("nan"), dtype=torch.bfloat16), "32 bits"),
    ("complex", lambda a: a.to(torch.complex64), "of the kind complex64"),
    ("complex NaN", lambda a: (a * float("nan")).to(torch.complex64), "of the kind complex64"),
    ("bool", lambda a: a > 0, "of the kind bool"),
    ("whole numbers", lambda a: (a * 100).to(torch.int8), "of the kind int8"),
    ("8-bit floats", lambda a: a.to(torch.float8_e4m3fn), "float8|rare kind"),
    ("sparse", lambda a: a.to_sparse(), "sparse arrays"),
    ("sparse rows", lambda a: a.reshape(64, 27).to_sparse_csr(), "sparse arrays"),
    ("meta", lambda a: a.to("meta"), "without numbers"),
    (
        "quantised",
        lambda a: torch.quantize_per_tensor(a, 0.1, 0, torch.qint8),
        "quantised arrays",
    ),
]


@pytest.mark.filterwarnings("ignore")  # torch warns of its old kinds of tensors
@pytest.mark.parametrize(
    ("change", "sentence"), [n[1:] for n in NUMBERS], ids=[n[0] for n in NUMBERS]
)
def test_weights_are_dense_real_and_finite(
    change: Callable[[Tensor], Tensor],
    sentence: str,
    weights: dict[str, Tensor],
    tmp_path: Path,
    folder: Path,
) -> None:
    wrong = changed(weights, change(weights[FIRST]))
    torch.save(wrong, tmp_path / "w.pth")
    with pytest.raises(UnfitWeights, match=sentence):
        add(tmp_path / "w.pth")
    if sentence == "32 bits" or "kind" in sentence:
        save_file(wrong, tmp_path / "w.safetensors")
        with pytest.raises(UnfitWeights, match=f"{FIRST}.*({sentence})"):
            add(tmp_path / "w.safetensors")
    assert not list(folder.glob("*"))


@pytest.mark.parametrize(
    ("classes", "sentence"), [(0, "has 0 classes"), (2_000_000, "has 2,000,000 classes")]
)
def test_the_number_of_classes_is_bounded_before_memory_is_taken(
    classes: int, sentence: str, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    """Rows that repeat one number take no bytes in the file."""
    head = {
        "classifier.1.weight": torch.zeros(1).expand(classes, 512, 1, 1),
        "classifier.1.bias": torch.zeros(1).expand(classes),
    }
    torch.save({**weights, **head}, tmp_path / "w.pth")
    with pytest.raises(UnfitWeights, match=sentence):
        add(tmp_path / "w.pth")


def test_arrays_that_share_their_numbers_are_stored(
    weights: dict[str, Tensor], tmp_path: Path
) -> None:
    tied = {**weights, "classifier.1.weight": torch.ones(1).expand(7, 512, 1, 1)}
    torch.save(tied, tmp_path / "w.pth")
    add(tmp_path / "w.pth")
    assert bool((registry.load("mine").state_dict()["classifier.1.weight"] == 1).all())


# Bytes.


def repacked(path: Path, compression: int, extra: int = 0) -> None:
    """Pack the archive of torch.save anew, its first array followed by `extra` zeros."""
    with zipfile.ZipFile(path) as source:
        records = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w", compression) as into:
        for name, content in records.items():
            into.writestr(name, content + bytes(extra if name.endswith("data/0") else 0))


def test_an_archive_is_unpacked_only_as_far_as_the_network_can_need(
    weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_dict, "SPARE", 1 << 20)  # bytes; so that a small bomb suffices
    path = tmp_path / "w.pth"
    torch.save(weights, path)
    repacked(path, zipfile.ZIP_DEFLATED)
    add(path)  # compressed, but sound
    weight_files.remove("mine")
    repacked(path, zipfile.ZIP_DEFLATED, extra=60_000_000)
    assert path.stat().st_size < 6_000_000
    with pytest.raises(UnfitWeights, match="weights of this architecture have"):
        add(path)


def test_an_archive_that_hides_its_size_is_not_unpacked_further(
    weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "w.pth"
    torch.save(weights, path)
    repacked(path, zipfile.ZIP_DEFLATED, extra=50_000_000)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as source:
        size = max(record.file_size for record in source.infolist())
    path.write_bytes(content.replace(struct.pack("<I", size), struct.pack("<I", 1000)))
    with pytest.raises(UnfitWeights):
        add(path)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_larger_than_the_network_can_need_is_not_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    header = json.dumps({"a": {"dtype": "U8", "shape": [1 << 40], "data_offsets": [0, 1 << 40]}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode())
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # a hole: nothing on the disk
    with pytest.raises(UnfitWeights, match="weights of this architecture have"):
        add(path)


def header(
    content: dict[str, object] | bytes, body: bytes = b"", length: int | None = None
) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(offsets: list[int], shape: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HEADERS = {
    "8 EiB": header(b"{}", length=1 << 63),
    "2 GiB": header(b"{}", length=1 << 31),
    "overlapping": header({"a": entry([0, 16], [4]), "b": entry([8, 24], [4])}, bytes(24)),
    "negative": header({"a": entry([-16, 0], [4])}, bytes(24)),
    "shape overflows": header({"a": entry([0, 16], [1 << 62, 1 << 62])}, bytes(16)),
    "beyond the end": header({"a": entry([0, 1 << 40], [1 << 38])}, bytes(16)),
    "backwards": header({"a": entry([16, 0], [4])}, bytes(16)),
    "unknown numbers": header({"a": entry([0, 16], [4], "F31")}, bytes(16)),
    "no JSON": header(b"{" * 1_000_000),
    "nested": header(b'{"a":' * 100_000),
    "list": header(b"[" * 1_000_000),
    "twice": header(
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        b"1",
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_damaged_header_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(HEADERS[name])
    with pytest.raises(UnfitWeights):
        add(path)


def pickled(program: bytes) -> bytes:
    """An archive of torch.save with this pickle."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as file:
        file.writestr("archive/data.pkl", program)
        file.writestr("archive/version", "3\n")
    return into.getvalue()


PICKLES = {
    "bytearray": b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\0\0\0\0\x10\x85R.",
    "tensor of a size": b"\x80\x02ctorch\nTensor\n\x8a\x05\0\0\0\0\x10\x85R.",
    "counter": b"\x80\x02ccollections\nCounter\n)R.",
    "system": b"\x80\x02cposix\nsystem\n\x8c\x04true\x85R.",
    "protocol 4": pickle.dumps({"a": Path("x")}, protocol=4),
    "deep": b"\x80\x02" + b"(" * 100_000 + b"." * 2,
    "endless": b"\x80\x02}" * 1000,
    "memo": b"\x80\x02]r\xff\xff\xff\x7f.",
}


@pytest.mark.parametrize("name", PICKLES)
@pytest.mark.parametrize("packed", [True, False], ids=["archive", "bare"])
def test_a_pickle_makes_only_dense_tensors_and_plain_containers(
    name: str, packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(pickled(PICKLES[name]) if packed else PICKLES[name])
    with pytest.raises(UnfitWeights):
        add(path)


# What lies at the path.


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_devices_folders_and_loops_are_refused_at_once(
    tmp_path: Path, weights: dict[str, Tensor]
) -> None:
    pipe, loop = tmp_path / "pipe.pth", tmp_path / "loop.pth"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    torch.save(weights, tmp_path / "w.pth")
    sentences = {
        pipe: "a pipe or a device",
        Path("/dev/zero"): "a pipe or a device",
        tmp_path: "is a folder",
        loop: "can't be read",
        tmp_path / "nix": "is not there",
        tmp_path / "a\0b": "can't be read",
    }
    for path, sentence in sentences.items():
        with pytest.raises(CannotAdd, match=sentence):
            add(path)
        with pytest.raises((CannotAdd, OSError, ValueError)):
            weight_files.add("mine", ARCH, tmp_path / "w.pth", class_names=path)


def test_a_list_of_class_names_is_text_that_can_be_shown(
    tmp_path: Path, weights: dict[str, Tensor]
) -> None:
    path, names = tmp_path / "w.pth", tmp_path / "names.txt"
    torch.save(weights, path)
    names.write_text("\n".join(["\x1b[2Jcat", *"abcdef"]))
    with pytest.raises(CannotAdd, match="can't be shown"):
        weight_files.add("mine", ARCH, path, names)
    names.write_text("\n".join(f"{name} {'9' * 5000}" for name in "abcdefg"))
    weight_files.add("mine", ARCH, path, names)  # a name that ends with digits, not a number
    assert registry.categories("mine")[0].startswith("a 999")


# Files that change after they were added.


def test_a_loaded_network_does_not_depend_on_its_file(
    weights: dict[str, Tensor], tmp_path: Path, folder: Path
) -> None:
    """Mapped weights would end the process (SIGBUS) when the file becomes shorter."""
    torch.save(weights, tmp_path / "w.pth")
    add(tmp_path / "w.pth")
    network = extract("mine", ["3"])
    before = network(torch.ones(1, 3, 64, 64))[0]
    stored = folder / "mine.safetensors"
    with stored.open("r+b") as file:
        file.truncate(0)
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert str(stored) not in maps.read_text()
    assert torch.equal(network(torch.ones(1, 3, 64, 64))[0], before)
    with pytest.raises(registry.MissingWeights, match=r"is empty.*remove mine"):
        extract("mine", ["4"])


def test_a_file_that_shrinks_while_it_is_read_is_refused(
    weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    save_file(weights, path)
    monkeypatch.setattr(state_dict, "size_of", lambda file: (os.truncate(path, 3000), 3000)[1])
    with pytest.raises(UnfitWeights, match="cut short"):
        add(path)


def test_stored_weights_are_checked_when_they_are_loaded(
    weights: dict[str, Tensor], tmp_path: Path, folder: Path
) -> None:
    torch.save(weights, tmp_path / "w.pth")
    add(tmp_path / "w.pth")
    others = {
        "32 bits": changed(weights, torch.full_like(weights[FIRST], float("nan"))),
        "complex64": changed(weights, weights[FIRST].to(torch.complex64)),
        "instead of 64 × 3": changed(weights, torch.zeros(64, 3, 5, 5)),
        "are missing": {k: v for k, v in weights.items() if k != FIRST},
    }
    for sentence, state in others.items():
        (folder / "mine.safetensors").write_bytes(save(state))
        with pytest.raises(registry.MissingWeights, match=f"does not hold.*{sentence}"):
            registry.load("mine")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_notes_that_are_pipes_or_endless_stop_nothing(
    weights: dict[str, Tensor], tmp_path: Path, folder: Path
) -> None:
    torch.save(weights, tmp_path / "w.pth")
    add(tmp_path / "w.pth")
    note = folder / "mine.json"
    for content in ("[" * 200_000, '{"a":' * 200_000, "[NaN]"):
        note.write_text(content)
        assert user_store.current().networks() == []
    note.unlink()
    os.mkfifo(note)
    done: list[object] = []
    thread = threading.Thread(
        target=lambda: done.append(user_store.current().networks()), daemon=True
    )
    thread.start()
    thread.join(5)
    assert done == [[]]


def test_too_little_memory_is_not_called_damage(
    weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate …")

    torch.save(weights, tmp_path / "w.pth")
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(CannotAdd, match="not enough memory"):
        add(tmp_path / "w.pth")


def test_a_copy_of_the_stored_file_is_weights_too(
    weights: dict[str, Tensor], tmp_path: Path, folder: Path
) -> None:
    torch.save(weights, tmp_path / "w.pth")
    add(tmp_path / "w.pth")
    shutil.copy(folder / "mine.safetensors", tmp_path / "again.bin")
    weight_files.add("again", ARCH, tmp_path / "again.bin")
    assert torch.equal(registry.load("again").state_dict()[FIRST], weights[FIRST])
