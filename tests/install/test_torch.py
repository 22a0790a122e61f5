"""The right PyTorch is installed, changed, kept, proven and remembered, with pip and an index."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import dreamlink
from install import environment
from install.builds import proof, record, report, setup
from install.builds.cards import Computer
from install.builds.nvidia import GraphicsCard
from install.builds.plan import plan
from install.builds.table import CPU, CU130
from install.environment import STAMP
from install.errors import InstallError
from install.own import Own
from install.packages import installed, project, sources
from tests.install.conftest import STUB, StubIndex

CARD = GraphicsCard("NVIDIA", "NVIDIA GeForce RTX 4070", (580, 95, 5), capability=(8, 9))
OLD_CARD = GraphicsCard("NVIDIA", "NVIDIA GeForce GTX 1060", (580, 95, 5), capability=(6, 1))
WITH_CARD = Computer("win32", "x86", cards=(CARD,))
WITH_OLD_CARD = Computer("linux", "x86", cards=(OLD_CARD,))
WITHOUT_CARD = Computer("linux", "x86")
RADEON = GraphicsCard("AMD", "AMD Radeon RX 7600")
WITH_RADEON = Computer("win32", "x86", cards=(RADEON,))
RUNTIME_PACKAGES = {"onnx", "onnxruntime-webgpu", "buffers"}
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "dreamlayer"
version = "0.1.0"
dependencies = [
    "torch==2.13.0",         # what the project pins
    "torchvision==0.28.0",
    "sums==1.0; python_version >= '3'",
]

[project.optional-dependencies]
webgpu = [  # for graphics cards
    "onnxruntime-webgpu==1.0; python_version >= '3.11'",
    "onnx==1.0",
]
"""
WEBGPU = """
import os
def no_real_card(): return os.environ.get("NO_REAL_CARD", "")
def problem():
    import onnx, onnxruntime_webgpu
    return ""
"""
BACKEND = '''
import zipfile
def build_wheel(folder, settings=None, metadata=None):
    name, info = "dreamlayer-0.1.0-py3-none-any.whl", "dreamlayer-0.1.0.dist-info"
    files = {
        "dreamlayer.py": "",
        f"{info}/METADATA": """Metadata-Version: 2.1
Name: dreamlayer
Version: 0.1.0
Requires-Dist: torch==2.13.0
Requires-Dist: torchvision==0.28.0
Requires-Dist: sums==1.0
""",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
'''


@pytest.fixture
def checkout(tmp_path: Path, stub_index: StubIndex) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    stub_index.lock(folder)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "backend.py").write_text(BACKEND)
    module = folder / "daemon/dreamlayer/runtime/webgpu.py"
    module.parent.mkdir(parents=True)
    for package in (module.parents[1], module.parent):
        (package / "__init__.py").touch()
    module.write_text(WEBGPU)
    return folder


@pytest.fixture
def own(
    tmp_path: Path, stub_index: StubIndex, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> Own:
    """A folder in which nothing is installed; environments are made without pip, which is quick."""
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(environment, "_has_venv", lambda: False)
    mine = Own.of_this_user()
    mine.make()
    return mine


def install(
    checkout: Path, own: Own, computer: Computer = WITH_CARD, asked: str | None = None
) -> str:
    """Do what install.py does about the environment; returns the version of PyTorch."""
    setup.carry_out(plan(checkout, own, computer, asked))
    return installed.version(own.environment)


def is_settled(checkout: Path, own: Own, computer: Computer = WITH_CARD) -> bool:
    """Whether another run has nothing to do."""
    return setup.carry_out(plan(checkout, own, computer))


def state(checkout: Path, own: Own, computer: Computer = WITH_CARD) -> tuple[bool, str]:
    return report.state(plan(checkout, own, computer))


def packages(own: Own) -> set[str]:
    return set(installed._required(own.environment))


def test_the_build_for_the_card_is_installed_changed_changed_back_and_kept(
    checkout: Path, own: Own, stub_index: StubIndex, capfd: pytest.CaptureFixture[str]
) -> None:
    assert install(checkout, own) == "2.13.0+cu130"
    said = capfd.readouterr().out
    assert said.startswith("NVIDIA GeForce RTX 4070 found: PyTorch for CUDA 13, about 2.1 GB to")
    libraries = {"dreamlayer", "torch", "torchvision", "sums", "nvidia-stub", "nvidia-more"}
    assert packages(own) == libraries
    assert sorted(stub_index.fetched()) == [
        "cu130: nvidia_stub-13.0", "cu130: torch-2.13.0+cu130", "cu130: torchvision-0.28.0+cu130",
        "simple: nvidia_more-1.0", "simple: sums-1.0", "simple: tools-1.0",
    ]  # fmt: skip
    assert state(checkout, own) == (True, "PyTorch 2.13.0+cu130 (PyTorch for CUDA 13)")

    assert is_settled(checkout, own)
    assert stub_index.asked == []

    assert install(checkout, own, asked="cpu") == "2.13.0"
    assert stub_index.fetched() == ["simple: torch-2.13.0", "simple: torchvision-0.28.0"]
    assert packages(own) == libraries - {"nvidia-stub", "nvidia-more"}
    assert is_settled(checkout, own)

    (checkout / "README.md").write_text("another version of the sources")  # an update
    assert not project.is_current(own.environment, checkout)
    assert install(checkout, own) == "2.13.0"
    assert project.is_current(own.environment, checkout)
    assert stub_index.fetched() == ["simple: tools-1.0"]
    assert record.read(own).device == "cpu"

    assert install(checkout, own, asked="auto") == "2.13.0+cu130"
    assert packages(own) == libraries
    assert record.read(own).device == "auto"
    assert state(checkout, own)[0]


def test_a_change_of_card_or_driver_is_noticed_and_told(
    checkout: Path, own: Own, capfd: pytest.CaptureFixture[str]
) -> None:
    assert install(checkout, own, WITHOUT_CARD) == "2.13.0+cpu"
    assert capfd.readouterr().out.startswith("No graphics card found that PyTorch can use")
    good, said = state(checkout, own, WITH_OLD_CARD)
    assert not good
    assert "PyTorch for CUDA 12.6 fits: run install.py again" in said
    for computer, settled in ((WITHOUT_CARD, True), (WITH_OLD_CARD, False)):
        assert plan(checkout, own, computer).is_carried_out is settled


def test_without_pytorchs_index_pips_own_is_used_and_not_tried_again_and_again(
    checkout: Path, own: Own, stub_index: StubIndex,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("DREAMLAYER_TORCH_INDEX", "http://127.0.0.1:9/whl")
    assert install(checkout, own) == "2.13.0+cpu"
    assert "index can't be reached, or does not have the build cu130" in capfd.readouterr().out
    good, said = state(checkout, own)
    assert not good
    assert "Go online, then run install.py --device auto to try it again." in said

    monkeypatch.setenv("DREAMLAYER_TORCH_INDEX", f"{stub_index.address}/whl")
    stub_index.asked.clear()
    assert is_settled(checkout, own)
    assert stub_index.asked == []
    assert install(checkout, own, asked="auto") == "2.13.0+cu130"
    assert record.read(own).problem == record.read(own).advice == ""


def test_the_index_has_a_build_if_it_has_both_packages_in_the_pinned_versions(
    own: Own, stub_index: StubIndex
) -> None:
    environment.make(own.environment)
    in_cu130 = sources.of_pytorch("cu130")
    both = ("torch==2.13.0+cu130", "torchvision==0.28.0+cu130")
    assert sources.offers(own.environment, in_cu130, both)
    assert not sources.offers(own.environment, in_cu130, ["torch==2.13.0"])
    assert not sources.offers(own.environment, in_cu130, ["sums==1.0"])  # pip's own index has it
    stub_index.add("whl/cu130", "torchvision", "0.27.0+cu130")
    (stub_index.folder / "whl/cu130/torchvision/torchvision-0.28.0+cu130-py3-none-any.whl").unlink()
    assert not sources.offers(own.environment, in_cu130, both)


def test_the_processors_build_from_pips_own_index_is_as_good(
    checkout: Path, own: Own, stub_index: StubIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_TORCH_INDEX", "http://127.0.0.1:9/whl")
    assert install(checkout, own, WITHOUT_CARD) == "2.13.0+cpu"
    assert record.read(own).problem == ""
    assert state(checkout, own, WITHOUT_CARD)[0]
    assert is_settled(checkout, own, WITHOUT_CARD)


def test_a_build_that_fails_on_the_card_is_replaced_by_the_processors(
    checkout: Path, own: Own, stub_index: StubIndex,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CARD_IS_BROKEN", "1")
    assert install(checkout, own) == "2.13.0"
    assert "nvidia-stub" not in packages(own)
    said = capfd.readouterr().out
    assert (
        "PyTorch for CUDA 13 does not work with the graphics here (PyTorch finds no card that it"
        " can use): changing to PyTorch for the processor"
    ) in said
    good, said = state(checkout, own)
    assert not good
    assert "Update the graphics driver, restart the computer, then run install.py" in said
    assert is_settled(checkout, own)
    newer = GraphicsCard("NVIDIA", CARD.name, (581, 1), capability=(8, 9))
    assert not plan(checkout, own, Computer("win32", "x86", cards=(newer,))).is_carried_out


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import time; time.sleep(60)", "it does not answer"),
        ("import os; os.abort()", "it ended with code -6"),
        ("raise OSError('libcudart is missing.')", "OSError: libcudart is missing"),
        (STUB.format(version="", device="cuda").replace("512.0", "3.0"), "a sum is 3 instead"),
        (STUB.format(version="", device=""), "PyTorch finds no card that it can use"),
        (STUB.format(version="", device="cuda"), ""),
    ],
)
def test_the_proof_says_why_a_card_can_not_be_used(
    own: Own, checkout: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    environment.make(own.environment)
    (site,) = own.environment.folder.glob("lib/python3*/site-packages")
    (site / "torch.py").write_text(code)
    monkeypatch.setattr(proof, "PATIENCE", 0.5 if "sleep" in code else 60)
    said = proof.failure(own.environment, CU130, checkout)
    assert said.startswith(words) and bool(said) == bool(words)
    assert proof.failure(own.environment, CPU, checkout) == ""


def test_a_radeon_on_windows_gets_onnx_runtime_which_goes_with_the_card(
    checkout: Path, own: Own, stub_index: StubIndex, capfd: pytest.CaptureFixture[str]
) -> None:
    assert install(checkout, own, WITH_RADEON) == "2.13.0"
    said = capfd.readouterr().out
    assert "PyTorch for the processor with ONNX Runtime for the card" in said
    assert packages(own) == {"dreamlayer", "torch", "torchvision", "sums"} | RUNTIME_PACKAGES
    assert record.read(own).wanted == "webgpu"
    assert state(checkout, own, WITH_RADEON) == (
        True, "PyTorch 2.13.0 (PyTorch for the processor with ONNX Runtime for the card)",
    )  # fmt: skip
    stub_index.fetched()
    assert is_settled(checkout, own, WITH_RADEON)
    assert stub_index.asked == []
    (record_file,) = own.environment.folder.glob("lib/python3*/site-packages/onnx-1.0.*/RECORD")
    record_file.unlink()  # as pip leaves it when it is stopped
    install(checkout, own, WITH_RADEON)
    assert stub_index.fetched() == ["simple: onnx-1.0"]
    assert install(checkout, own, WITH_RADEON, asked="cpu") == "2.13.0"
    assert packages(own) == {"dreamlayer", "torch", "torchvision", "sums"}


def test_a_card_that_does_not_answer_webgpu_leaves_no_onnx_runtime_behind(
    checkout: Path, own: Own, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_REAL_CARD", "Vulkan knows no graphics card here.")
    install(checkout, own, WITH_RADEON)
    said = capfd.readouterr().out
    assert "(Vulkan knows no graphics card here): dreams use the processor" in said
    assert not packages(own) & RUNTIME_PACKAGES
    good, said = state(checkout, own, WITH_RADEON)
    assert not good
    assert "run install.py --device auto to try it again" in said
    assert is_settled(checkout, own, WITH_RADEON)
    monkeypatch.delenv("NO_REAL_CARD")
    install(checkout, own, WITH_RADEON, asked="auto")
    assert packages(own) >= RUNTIME_PACKAGES
    assert state(checkout, own, WITH_RADEON)[0]


def test_without_onnx_runtime_in_the_index_dreams_use_the_processor(
    checkout: Path, own: Own, stub_index: StubIndex, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(stub_index.folder / "simple/onnxruntime-webgpu")
    assert install(checkout, own, WITH_RADEON) == "2.13.0"
    assert "or does not have ONNX Runtime for this Python: dreams use" in capfd.readouterr().out
    assert "Go online, then run install.py --device auto." in record.read(own).advice
    assert is_settled(checkout, own, WITH_RADEON)


def test_an_installation_that_was_killed_is_repaired(checkout: Path, own: Own) -> None:
    install(checkout, own)
    (vision,) = own.environment.folder.glob("lib/python3*/site-packages/torchvision-*.dist-info")
    (vision / "RECORD").rename(vision / "elsewhere")
    assert installed.version(own.environment) == ""
    (vision / "elsewhere").rename(vision / "RECORD")
    assert installed.version(own.environment) == "2.13.0+cu130"
    (info,) = own.environment.folder.glob("lib/python3*/site-packages/torch-*.dist-info")
    (info / "RECORD").unlink()
    (info.parent / "torch" / "__init__.py").unlink()
    assert installed.version(own.environment) == ""
    assert install(checkout, own) == "2.13.0+cu130"
    assert (info.parent / "torch" / "__init__.py").is_file()


def test_the_general_indexs_build_for_linux_is_that_of_cuda_13(
    checkout: Path, own: Own, stub_index: StubIndex
) -> None:
    stub_index.add_build("simple", "", "cuda")
    (stub_index.folder / "simple/torch/torch-2.13.0+cpu-py3-none-any.whl").unlink()
    (stub_index.folder / "simple/torchvision/torchvision-0.28.0+cpu-py3-none-any.whl").unlink()
    stub_index.lock(checkout)
    with_card = Computer("linux", "x86", cards=(CARD,))
    assert install(checkout, own, with_card) == "2.13.0"
    assert "simple: torch-2.13.0" in stub_index.fetched()
    assert state(checkout, own, with_card)[0]
    assert is_settled(checkout, own, with_card)


def test_what_pip_is_told_stays_in_force(
    checkout: Path, own: Own, stub_index: StubIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_index.add("more", "only_here", "1.0")
    stub_index.add("more", "only_here", "2.0")
    stub_index.add_build("whl/cu130", "+cu130", "cuda", "only_here")
    stub_index.lock(checkout, "only_here==1.0")
    (tmp_path / "constraints.txt").write_text("only_here<2\n")
    (tmp_path / "pip.conf").write_text(
        f"[global]\nextra-index-url = {stub_index.address}/more\n"
        f"constraint = {tmp_path / 'constraints.txt'}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert install(checkout, own) == "2.13.0+cu130"
    assert "more: only_here-1.0" in stub_index.fetched()


def test_the_room_that_the_build_needs_is_asked_for_before_anything_is_fetched(
    checkout: Path, own: Own, stub_index: StubIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(own.home)._replace(free=int(3e9))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(
        InstallError, match=r"only 3\.0 GB free in .* needs (6\.8|8\.9).*free some.*device cpu"
    ):
        install(checkout, own)
    assert stub_index.asked == []
    assert not own.environment.folder.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"device": "toaster"}', '{"cards": 3}'])
def test_a_damaged_record_is_an_empty_one(own: Own, text: str) -> None:
    own.torch_record.write_text(text)
    assert record.read(own) == record.TorchRecord()


def test_a_record_comes_back_as_it_was_written(own: Own) -> None:
    written = record.TorchRecord("cpu", "cu130", "2.13.0+cpu", ("a card",), "why", "what to do")
    record.write(own, written)
    assert record.read(own) == written
    assert json.loads(own.torch_record.read_text())["advice"] == "what to do"


def test_a_package_that_is_not_the_one_that_was_locked_is_not_installed(
    checkout: Path, own: Own, stub_index: StubIndex
) -> None:
    stub_index.add("simple", "nvidia_more", "1.0", code="evil = True")
    with pytest.raises(InstallError, match=r"not the one that Dreamlayer was made with.*again"):
        install(checkout, own)
    assert "nvidia-more" not in packages(own)
    assert "torch" not in packages(own)
    stub_index.lock(checkout)
    assert install(checkout, own) == "2.13.0+cu130"


def test_a_build_whose_hashes_are_not_known_is_installed_by_its_version(
    checkout: Path, own: Own, stub_index: StubIndex
) -> None:
    (checkout / "install/locked/coverage.json").write_text('{"cu126": {"linux-x86_64": []}}')
    assert install(checkout, own, WITH_OLD_CARD) == "2.13.0+cu126"
    stub_index.add("simple", "sums", "1.0", code="evil = True")  # the others stay locked
    shutil.rmtree(own.environment.folder)
    with pytest.raises(InstallError, match="not the one that Dreamlayer was made with"):
        install(checkout, own, WITH_OLD_CARD)


def test_a_folder_is_enough_for_an_installation_without_network(
    checkout: Path, own: Own, stub_index: StubIndex, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = tmp_path / "wheel house"
    folder.mkdir()
    source = sources.of_folder(folder)
    with pytest.raises(InstallError, match=r"has no PyTorch for this Python.*--wheelhouse"):
        setup.carry_out(plan(checkout, own, WITH_CARD, None, source))
    for wheel in stub_index.folder.glob("whl/cpu/*/*.whl"):
        shutil.copy(wheel, folder)
    for wheel in stub_index.folder.glob("simple/*/[st]*s-1.0-*.whl"):
        shutil.copy(wheel, folder)
    stub_index.asked.clear()
    capfd.readouterr()
    setup.carry_out(plan(checkout, own, WITH_CARD, None, source))
    assert installed.version(own.environment) == "2.13.0+cpu"
    assert "wheel house does not have the build cu130 for this Python" in capfd.readouterr().out
    assert stub_index.asked == []
    assert "Install without --offline to try it again." in record.read(own).advice
    assert setup.carry_out(plan(checkout, own, WITH_CARD, None, source))


def test_a_wheel_that_came_with_the_sources_is_installed_instead_of_building_one(
    checkout: Path, own: Own, stub_index: StubIndex
) -> None:
    for name, tag in (("dreamlayer", "py3-none-any"), ("dreamlayer", "cp27-none-win32")):
        stub_index.add("wheels", name, dreamlink.VERSION, code="came_with_it = True")
        made = next((stub_index.folder / "wheels" / name).glob("*.whl"))
        (checkout / "wheels").mkdir(exist_ok=True)
        made.rename(checkout / "wheels" / made.name.replace("py3-none-any", tag))
    (checkout / "backend.py").write_text("raise SystemExit('it was built')")
    assert install(checkout, own, WITHOUT_CARD) == "2.13.0+cpu"
    assert "tools-1.0" not in str(stub_index.fetched())
    module = own.environment.package("dreamlayer")
    assert module is not None
    assert (module / "__init__.py").read_text() == "came_with_it = True"
    (checkout / "wheels/dreamlayer-0.1.0-py3-none-any.whl").unlink()  # none for this system
    with pytest.raises(InstallError, match="pip failed"):
        install(checkout, own, WITHOUT_CARD)


def test_what_pip_left_half_done_is_made_whole(checkout: Path, own: Own) -> None:
    """pip takes a package without its list of files for installed."""
    install(checkout, own, WITHOUT_CARD)
    (info,) = own.environment.folder.glob("lib/python3*/site-packages/sums-*.dist-info")
    (info / "RECORD").unlink()
    (info.parent / "sums" / "__init__.py").unlink()
    (info.parent / "~orch").mkdir()
    (own.environment.folder / STAMP).unlink()
    install(checkout, own, WITHOUT_CARD)
    assert (info.parent / "sums" / "__init__.py").is_file()
    assert not (info.parent / "~orch").exists()


def test_downloads_are_kept_until_the_installation_is_complete(
    checkout: Path, own: Own, stub_index: StubIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_CACHE_DIR", raising=False)
    monkeypatch.delenv("PIP_CACHE_DIR", raising=False)
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")  # nothing else is kept of http
    stub_index.add("simple", "tools", "1.0", code="evil = True")
    with pytest.raises(InstallError):
        install(checkout, own, WITHOUT_CARD)
    assert (own.home / "dreamlayer-downloads").is_dir()
    stub_index.lock(checkout)
    install(checkout, own, WITHOUT_CARD)
    assert not (own.home / "dreamlayer-downloads").exists()


def test_the_projects_own_pins_are_read() -> None:
    pins = installed.requirements(Path(__file__).parents[2])
    assert pins[0].startswith("torch==")
    assert len(pins) > 8
