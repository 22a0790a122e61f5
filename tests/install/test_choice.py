"""Which build of PyTorch fits which computer, and what its user is told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from install.builds import cards, nvidia, probes
from install.builds.choice import choose
from install.builds.probes import Probes
from install.builds.table import BUILDS
from install.errors import InstallError

Answers = dict[str, str]  # from the last part of a question's program to what it prints

RTX_4070 = "NVIDIA GeForce RTX 4070, 580.95.05, 8.9\n"
RTX_4070_OLD = "NVIDIA GeForce RTX 4070, 535.183.01, 8.9\n"
RTX_5090 = "NVIDIA GeForce RTX 5090, 581.29, 12.0\n"
RTX_5090_OLD = "NVIDIA GeForce RTX 5090, 572.16, 12.0\n"
GTX_1060 = "NVIDIA GeForce GTX 1060 6GB, 560.94, 6.1\n"
GTX_1060_NEW = "NVIDIA GeForce GTX 1060 6GB, 580.95.05, 6.1\n"
GTX_1060_OLD = "NVIDIA GeForce GTX 1060 6GB, 516.94, 6.1\n"
GTX_680 = "NVIDIA GeForce GTX 680, 470.256.02, 3.0\n"
V100 = "Tesla V100-SXM2-16GB, 580.95.05, 7.0\n"


def asked(answers: Answers) -> Callable[[Sequence[str]], str | None]:
    def ask(command: Sequence[str]) -> str | None:
        name = command[0].replace("\\", "/").rpartition("/")[2]
        if command[0] == sys.executable:
            name = "library"
        told = answers.get(name)
        if name.startswith("nvidia-smi") and "compute_cap" in command[1] and told:
            return told if told.count(",") > 1 else None
        return told

    return ask


def _first_word(answers: Answers, command: Sequence[str]) -> str | None:
    return answers.get(command[0])


def put(root: Path, index: int, vendor: str, device: str, gfx: int = 0) -> None:
    """A card as Linux shows it, with a socket for a screen; `gfx` as AMD's driver numbers it."""
    folder = root / f"sys/class/drm/card{index}/device"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(f"{vendor}\n")
    (folder / "device").write_text(f"{device}\n")
    (root / f"sys/class/drm/card{index}-DP-1/device").mkdir(parents=True)
    if gfx:
        node = root / f"sys/class/kfd/kfd/topology/nodes/{index}"
        node.mkdir(parents=True)
        (node / "properties").write_text(
            f"cpu_cores_count 0\ngfx_target_version {gfx}\ndevice_id {int(device, 16)}\n"
        )


def linux(root: Path, answers: Answers | None = None, architecture: str = "x86_64") -> Probes:
    return Probes("linux", architecture, "", asked(answers or {}), list, root)


def windows(*displays: str, answers: Answers | None = None, architecture: str = "amd64") -> Probes:
    ask = asked(answers or {})
    return Probes("win32", architecture, "", ask, lambda: list(displays), Path("/nowhere"))


def mac(architecture: str, version: str, answers: Answers | None = None) -> Probes:
    return Probes("darwin", architecture, version, asked(answers or {}), list, Path("/nowhere"))


def chosen(
    computer: Probes, device: str = "auto", python: tuple[int, int] = (3, 12)
) -> tuple[str, str]:
    """The name of the build, and all that the user is told."""
    found = cards.look(computer)
    choice = choose(found, device, python)
    return choice.build.name, f"{choice.sentence(found.system)}\n{choice.advice}"


@pytest.mark.parametrize(
    ("smi", "build", "words"),
    [
        (RTX_4070, "cu130", "NVIDIA GeForce RTX 4070 found: PyTorch for CUDA 13, about 2.9 GB"),
        (RTX_4070_OLD, "cu126", "Its driver 535.183 is old: update it to 580 or newer"),
        (RTX_5090, "cu130", "RTX 5090 found: PyTorch for CUDA 13"),
        (RTX_5090_OLD, "cpu", "Its driver 572.16 is old: update it to 580 or newer"),
        (GTX_1060, "cu126", "GTX 1060 6GB found: PyTorch for CUDA 12.6, about 3.1 GB"),
        (GTX_1060_NEW, "cu126", "GTX 1060"),
        (GTX_1060_OLD, "cpu", "update it to 525.60 or newer"),
        (GTX_680, "cpu", "too old for PyTorch"),
        (V100, "cu126", "V100"),
        (GTX_1060_NEW + RTX_4070, "cu130", "RTX 4070 found"),
        (RTX_4070 + GTX_1060_NEW, "cu130", "RTX 4070 found"),
        (GTX_1060.replace("560.94", "535.183.01") + RTX_4070_OLD, "cu126", "RTX 4070 found"),
        ("Quadro P400, 470.256.02\n", "cpu", "update it to 525.60 or newer"),  # no capability
        ("NVIDIA A2, 580.95.05, [N/A]\n", "cu126", "NVIDIA A2 found"),
    ],
)
def test_cards_of_nvidia(tmp_path: Path, smi: str, build: str, words: str) -> None:
    name, said = chosen(linux(tmp_path, {"nvidia-smi": smi}))
    assert name == build
    assert words in said


def test_only_a_new_card_with_an_old_driver_gets_advice(tmp_path: Path) -> None:
    for smi in (RTX_4070, RTX_5090, GTX_1060, GTX_1060_NEW, GTX_680):
        assert chosen(linux(tmp_path, {"nvidia-smi": smi}))[1].endswith("\n")


def test_nvidia_smi_is_looked_for_on_the_path_and_where_windows_puts_it_into_linux(
    tmp_path: Path,
) -> None:
    for place in ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"):
        computer = Probes("linux", "x86_64", "", partial(_first_word, {place: RTX_4070}), list)
        assert chosen(replace(computer, root=tmp_path))[0] == "cu130"


def test_windows_names_the_program_by_its_whole_path_and_has_its_own_limit() -> None:
    said = {"nvidia-smi.exe": "NVIDIA GeForce GTX 1060, 527.56, 6.1"}
    name, told = chosen(windows("NVIDIA GeForce GTX 1060", answers=said))
    assert name == "cpu"
    assert "update it to 528.33 or newer" in told
    said = {"nvidia-smi.exe": RTX_4070}
    name, told = chosen(windows("NVIDIA GeForce RTX 4070", "AMD Radeon(TM) Graphics", answers=said))
    assert name == "cu130"
    assert "about 2.1 GB" in told
    questions: list[str] = []
    ask = Probes("win32", "amd64", "", lambda command: questions.append(command[0]), list)
    cards.look(ask)
    assert all(":\\" in question or question == sys.executable for question in questions)


@pytest.mark.parametrize(
    ("library", "build"),
    [
        ("NVIDIA GeForce RTX 4070, 13000, 8.9\n", "cu130"),
        ("NVIDIA GeForce RTX 4070, 12060, 8.9\n", "cu126"),
        ("NVIDIA GeForce GTX 1060, 12000, 6.1\n", "cu126"),
        ("NVIDIA GeForce GTX 1060, 11080, 6.1\n", "cpu"),
        ("NVIDIA GeForce RTX 5090, 12080, 12.0\n", "cpu"),
    ],
)
def test_the_drivers_library_is_asked_where_nvidia_smi_is_missing(
    tmp_path: Path, library: str, build: str
) -> None:
    assert chosen(linux(tmp_path, {"library": library}))[0] == build


def test_the_library_tells_the_capability_that_nvidia_smi_does_not(tmp_path: Path) -> None:
    answers = {"nvidia-smi": "NVIDIA A2, 580.95.05\n", "library": "NVIDIA A2, 13000, 8.6\n"}
    assert chosen(linux(tmp_path, answers))[0] == "cu130"


def test_a_card_of_nvidia_without_a_driver_is_told_to_get_one(tmp_path: Path) -> None:
    put(tmp_path, 0, "0x10de", "0x2786")
    for computer in (linux(tmp_path), windows("NVIDIA GeForce RTX 4070")):
        name, said = chosen(computer)
        assert name == "cpu"
        assert "Install NVIDIA's driver, version 580 or newer" in said


@pytest.mark.parametrize(
    ("number", "build", "words"),
    [
        (
            "0x56a0",
            "webgpu",
            "for which PyTorch has no small build: PyTorch for the processor with",
        ),
        ("0xe20b", "webgpu", "ONNX Runtime for the card, about 0.4 GB to download"),
        ("0x64a0", "webgpu", "Intel Arc"),
        ("0x9a49", "cpu", "No graphics card"),
        ("x", "cpu", "No graphics card"),
    ],
)
def test_intels_graphics_on_linux(tmp_path: Path, number: str, build: str, words: str) -> None:
    """Arc gets ONNX Runtime: PyTorch's build for it would be 2 GB, and no executor uses it."""
    put(tmp_path, 0, "0x8086", number)
    name, said = chosen(linux(tmp_path))
    assert name == build
    assert words in said


@pytest.mark.parametrize(
    ("python", "architecture", "words"),
    [
        (
            (3, 10),
            "x86_64",
            "no small build; ONNX Runtime needs Python 3.11 or newer to use it",
        ),
        ((3, 12), "aarch64", "ONNX Runtime has no build with WebGPU for this processor: PyTorch"),
    ],
)
def test_where_onnx_runtime_can_not_be_had(
    tmp_path: Path, python: tuple[int, int], architecture: str, words: str
) -> None:
    put(tmp_path, 0, "0x8086", "0x56a0")
    computer = linux(tmp_path, architecture=architecture)
    name, said = chosen(computer, python=python)
    assert name == "cpu"
    assert words in said
    with pytest.raises(InstallError, match=r"ONNX Runtime .*: use --device auto\."):
        chosen(computer, "webgpu", python)


def test_any_card_can_be_used_without_cuda() -> None:
    said = {"nvidia-smi.exe": RTX_4070}
    name, told = chosen(windows("NVIDIA GeForce RTX 4070", answers=said), "webgpu")
    assert name == "webgpu"
    assert told.startswith("As --device webgpu says: PyTorch for the processor with ONNX Runtime")
    assert "about 0.3 GB to download and 0.9 GB on the disk" in told


def test_beside_another_card_the_one_with_an_old_driver_is_still_spoken_of() -> None:
    said = {"nvidia-smi.exe": RTX_5090_OLD}
    displays = ("NVIDIA GeForce RTX 5090", "AMD Radeon(TM) Graphics")
    name, told = chosen(windows(*displays, answers=said))
    assert name == "webgpu"
    assert "Its driver 572.16 is old: update it to 580 or newer" in told


def test_intels_graphics_on_windows() -> None:
    name, said = chosen(windows("Intel(R) UHD Graphics 770", "Intel(R) Arc(TM) A770 Graphics"))
    assert (name, said[:27]) == ("webgpu", "Intel Arc A770 Graphics fou")
    assert chosen(windows("Intel(R) UHD Graphics 770"))[0] == "cpu"


@pytest.mark.parametrize(
    ("gfx", "build", "words"),
    [
        (110000, "rocm7.2", "AMD Radeon (0x744c) found: PyTorch for ROCm 7.2, about 5.1 GB"),
        (90010, "rocm7.2", "ROCm"),
        (80003, "webgpu", "for whose gfx803 PyTorch has no code: PyTorch for the processor with"),
        (0, "webgpu", "does not offer to ROCm (/dev/kfd)"),
    ],
)
def test_radeon_on_linux(tmp_path: Path, gfx: int, build: str, words: str) -> None:
    put(tmp_path, 0, "0x1002", "0x744c", gfx)
    name, said = chosen(linux(tmp_path))
    assert said.endswith("\n")  # there is no advice that could help
    assert name == build
    assert words in said


def test_radeon_on_windows_gets_onnx_runtime() -> None:
    name, said = chosen(windows("AMD Radeon RX 7900 XTX"))
    assert name == "webgpu"
    assert said.startswith(
        "AMD Radeon RX 7900 XTX found, for which PyTorch has no build on Windows, only on Linux:"
        " PyTorch for the processor with ONNX Runtime for the card, about 0.3 GB to download"
    )


def test_the_best_of_several_cards_decides(tmp_path: Path) -> None:
    put(tmp_path, 0, "0x8086", "0x56a0")
    put(tmp_path, 1, "0x1002", "0x744c", 110000)
    put(tmp_path, 2, "0x10de", "0x2786")
    assert chosen(linux(tmp_path))[0] == "rocm7.2"
    assert chosen(linux(tmp_path, {"nvidia-smi": RTX_4070}))[0] == "cu130"
    name, said = chosen(linux(tmp_path, {"nvidia-smi": RTX_5090_OLD}))
    assert name == "rocm7.2"
    assert "Radeon" in said


def test_no_card(tmp_path: Path) -> None:
    name, said = chosen(linux(tmp_path))
    assert name == "cpu"
    assert said == (
        "No graphics card found that PyTorch can use: PyTorch for the processor,"
        " about 0.4 GB to download and 1.2 GB on the disk\n"
    )
    assert chosen(windows())[0] == chosen(linux(tmp_path, architecture="riscv64"))[0] == "cpu"


def test_macs_with_apples_processor() -> None:
    for version in ("14.0", "15.6.1", "26.1", "10.16", ""):
        assert chosen(mac("arm64", version))[0] == "mps"
    assert chosen(mac("arm64", "14.5"), "cpu")[0] == "mps"  # there is only one


@pytest.mark.parametrize(
    ("computer", "words"),
    [
        (mac("x86_64", "14.5"), "no build for Macs with an Intel processor"),
        (mac("x86_64", "14.5", {"sysctl": "0\n"}), "no build for Macs with an Intel processor"),
        (mac("x86_64", "14.5", {"sysctl": "1\n"}), "install Python for Apple's processors"),
        (mac("arm64", "13.7.8"), "this is macOS 13.7.8: update macOS"),
        (windows(architecture="arm64"), "no build for Windows on ARM"),
    ],
)
def test_computers_without_a_build(computer: Probes, words: str) -> None:
    for device in ("auto", "cpu"):
        with pytest.raises(InstallError, match=words):
            chosen(computer, device)


@pytest.mark.parametrize(
    ("device", "build"),
    [("cpu", "cpu"), ("cuda", "cu130"), ("cu126", "cu126"), ("xpu", "xpu"), ("rocm", "rocm7.2")],
)
def test_the_user_overrules_what_is_found(tmp_path: Path, device: str, build: str) -> None:
    name, said = chosen(linux(tmp_path, {"nvidia-smi": RTX_4070}), device)
    assert name == build
    assert said.startswith(f"As --device {device} says: {BUILDS[build].title}, about")


def test_cuda_means_the_build_of_cuda_that_fits(tmp_path: Path) -> None:
    assert chosen(linux(tmp_path, {"nvidia-smi": GTX_1060}), "cuda")[0] == "cu126"
    assert chosen(linux(tmp_path), "cuda")[0] == "cu130"


@pytest.mark.parametrize(
    ("computer", "device"),
    [(mac("arm64", "14.5"), "cuda"), (windows(), "rocm"), (windows(), "mps")],
)
def test_a_device_that_the_system_never_has_is_refused(computer: Probes, device: str) -> None:
    with pytest.raises(InstallError, match="use --device auto, or one of cpu"):
        chosen(computer, device)


@pytest.mark.parametrize("rubbish", ["", "\0\n,,,\n", "No devices were found\n", "a, b, c\n" * 9])
def test_rubbish_is_no_card(tmp_path: Path, rubbish: str) -> None:
    put(tmp_path, 0, "rubbish", "0x")
    node = tmp_path / "sys/class/kfd/kfd/topology/nodes/0/properties"
    node.parent.mkdir(parents=True)
    node.write_text(rubbish)
    answers = {"nvidia-smi": rubbish, "library": rubbish}
    assert chosen(linux(tmp_path, answers))[0] == "cpu"
    put(tmp_path, 1, "0x1002", rubbish)  # of AMD, whatever it is
    assert chosen(linux(tmp_path, answers))[0] == "webgpu"


def test_a_program_that_hangs_fails_or_is_missing_has_no_answer() -> None:
    started = time.monotonic()
    python = [sys.executable, "-c"]
    assert probes.ask([*python, "import time; time.sleep(60)"], patience=0.5) is None
    assert time.monotonic() - started < 10
    assert probes.ask([*python, "print('half'); raise SystemExit(3)"]) is None
    assert probes.ask([*python, "import os; os.abort()"]) is None
    assert probes.ask(["/no/such/program"]) is None
    assert probes.ask([*python, "print('told')"]) == "told\n"


def test_this_computer_can_be_looked_at() -> None:
    assert cards.look().system == sys.platform


def test_what_is_run_for_the_drivers_library_is_python() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", nvidia.ASK_LIBRARY],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 or "OSError" in done.stderr or not done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="a shell script stands in for nvidia-smi")
@pytest.mark.parametrize(
    ("script", "found"),
    [
        (f"echo '{RTX_4070.strip()}'", True),
        ("sleep 60", False),
        ("kill -SEGV $$", False),
        ("head -c 100000 /dev/urandom", False),
        (f"echo '{RTX_4070.strip()}'; exit 9", False),
    ],
)
def test_a_real_program_is_asked_and_never_stops_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, found: bool
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    hasty = Probes(ask=partial(probes.ask, patience=0.5), root=tmp_path)
    names = [card.name for card in cards.look(hasty).cards]
    assert ("NVIDIA GeForce RTX 4070" in names) is found
