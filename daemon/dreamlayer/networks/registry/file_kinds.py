"""Tells by a file's first bytes what it is, if it is not a file of weights."""

from __future__ import annotations

import re

HEAD = 1024  # bytes that are looked at

ZIP = b"PK\x03\x04"
LEGACY_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save before torch 1.6

DOWNLOAD_AGAIN = "download it again"
CONVERT = "in PyTorch, save the network's state_dict() as .safetensors or .pth"
_LFS = b"version https://git-lfs"
_PAGE = re.compile(rb"\s*(<!doctype\s+html|<html|<head|<body|<\?xml|<!--)", re.IGNORECASE)
_UNPACK = "a compressed archive: unpack it, and add the file in it"

_PROGRAMS = {"pb": "TensorFlow", "caffemodel": "Caffe", "mlmodel": "Core ML"}

# (where, the bytes there, what the file is and what to do)
_MAGIC = (
    (0, b"\x89PNG", "a picture (PNG), not weights"),
    (0, b"\xff\xd8\xff", "a picture (JPEG), not weights"),
    (0, b"GIF8", "a picture (GIF), not weights"),
    (0, b"II*\0", "a picture (TIFF), not weights"),
    (0, b"MM\0*", "a picture (TIFF), not weights"),
    (8, b"WEBP", "a picture (WebP), not weights"),
    (0, b"8BPS", "a picture (Photoshop), not weights"),
    (0, b"gimp xcf", "a picture (GIMP), not weights"),
    (4, b"ftyp", "a film or a picture, not weights"),
    (0, b"%PDF", "a PDF document, not weights"),
    (0, b"GGUF", f"a GGUF file, which llama.cpp and its like read: {CONVERT}"),
    (0, b"lmgg", f"a GGML file, which llama.cpp and its like read: {CONVERT}"),
    (0, b"tjgg", f"a GGML file, which llama.cpp and its like read: {CONVERT}"),
    (4, b"TFL3", f"a TensorFlow Lite network: {CONVERT}"),
    (0, b"\x89HDF\r\n\x1a\n", f"an HDF5 file, as Keras saves networks: {CONVERT}"),
    (0, b"\x93NUMPY", f"a single NumPy array: {CONVERT}"),
    (0, b"7\0\0\0", f"a Caffe or MXNet file: {CONVERT}"),
    (0, b"\x1f\x8b", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", _UNPACK),
    (0, b"\xfd7zXZ\0", _UNPACK),
    (0, b"BZh", _UNPACK),
    (0, b"Rar!", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", _UNPACK),
    (257, b"ustar", _UNPACK),
    (0, b"\x7fELF", "a program, not weights"),
    (0, b"MZ", "a program, not weights"),
)


def other_kind(head: bytes, name: str) -> str | None:
    """What a file is and what to do, the end of a sentence that begins with "… is".

    None if it may be a file of weights. `head` are the first bytes of the file called `name`.
    """
    suffix = name.lower().rpartition(".")[2]
    magic = next((kind for at, begin, kind in _MAGIC if head[at : at + len(begin)] == begin), None)
    kinds = {
        f"empty: {DOWNLOAD_AGAIN}": not head,
        f"nothing but zeros, as a download leaves them that broke off: {DOWNLOAD_AGAIN}": (
            not head.strip(b"\0")
        ),
        "a pointer of git-lfs, not the weights themselves: fetch them with `git lfs pull`, or"
        " download the file from the project's page": head.startswith(_LFS),
        "a web page, not weights: open the address in a browser, and download the file itself": (
            _PAGE.match(head.removeprefix(b"\xef\xbb\xbf")) is not None
        ),
        magic: magic is not None,
        f"an ONNX network: {CONVERT}": _is_onnx(head, suffix),
        f"a network of {_PROGRAMS.get(suffix)}: {CONVERT}": suffix in _PROGRAMS,
        "a text, not weights": _is_text(head),
    }
    return next((kind for kind, fits in kinds.items() if fits), None)


def looks_like_safetensors(head: bytes) -> bool:
    """Whether a file begins as .safetensors do: the length of a header, and the header (JSON)."""
    return head[8:9] == b"{"


def _is_onnx(head: bytes, suffix: str) -> bool:
    """Protocol buffers have no magic number: the version (1 to 31), then usually the producer."""
    begins = len(head) > 2 and head[0] == 8 and 0 < head[1] < 32 and head[2] in (0x12, 0x1A, 0x3A)
    return begins or suffix == "onnx"


def _is_text(head: bytes) -> bool:
    """Whether all of it is text; a character may be cut at the end."""
    try:
        text = head[:-3].decode() if len(head) == HEAD else head.decode()
    except UnicodeDecodeError:
        return head.startswith((b"\xff\xfe", b"\xfe\xff"))  # UTF-16
    return all(character.isprintable() or character.isspace() for character in text)
