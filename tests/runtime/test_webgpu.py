"""The device `webgpu`: when it is chosen, and what happens when it fails.

Where a whole dream is dreamt, ONNX Runtime's CPU provider stands for the card.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from dreamlayer.engine.tiling import tile_size, workers
from dreamlayer.networks.network import extract
from dreamlayer.runtime import kept_answer, vulkan, webgpu
from dreamlayer.runtime.devices import choosing, memory
from dreamlayer.runtime.devices.choosing import UnknownDevice
from dreamlayer.runtime.vulkan import VulkanCard
from dreamlayer.runtime.webgpu import WebGpuDevice
from dreamlayer.studio.local import LocalStudio
from tests import software_card
from tests.runtime.test_devices import finish

RADEON = VulkanCard("AMD Radeon RX 7600", True, 8 << 30)
PRETENDER = VulkanCard("llvmpipe", False, 2 << 30)


@pytest.fixture
def cards(monkeypatch):
    """The cards of this computer, and whether they answer; the packages are installed."""
    told = {"cards": (RADEON,), "failure": ""}
    monkeypatch.setattr(webgpu, "installed", lambda: True)
    monkeypatch.setattr(webgpu, "_failure", lambda: told["failure"])
    monkeypatch.setattr(vulkan, "cards", lambda: told["cards"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return told


@pytest.fixture
def stand_in(cards, monkeypatch):
    executor = pytest.importorskip(
        "dreamlayer.networks.executors.onnx.executor", exc_type=ImportError
    )
    monkeypatch.setattr(executor, "WEBGPU_PROVIDER", executor.CPU_PROVIDER)
    return executor


def test_auto_takes_a_real_card_that_answers(cards, monkeypatch) -> None:
    assert choosing.find("auto") == WebGpuDevice()
    assert choosing.describe_device(WebGpuDevice()) == "webgpu (AMD Radeon RX 7600)"
    cards["failure"] = "It does not answer."
    assert choosing.find("auto") == torch.device("cpu")
    cards.update(failure="", cards=(PRETENDER,))
    assert choosing.find("auto") == torch.device("cpu")
    assert choosing.find("webgpu") == WebGpuDevice()  # the user knows what that is
    cards["cards"] = (RADEON,)
    monkeypatch.setattr(webgpu, "installed", lambda: False)
    assert choosing.find("auto") == torch.device("cpu")


def test_torchs_own_devices_come_first(cards, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choosing.find("auto") == torch.device("cuda")


def test_who_asks_for_it_by_name_is_told_what_is_missing(cards, monkeypatch) -> None:
    cards["failure"] = "No graphics card answers WebGPU."
    with pytest.raises(UnknownDevice, match="No graphics card answers"):
        choosing.find("webgpu")
    monkeypatch.setattr(webgpu, "installed", lambda: False)
    with pytest.raises(UnknownDevice, match=r"install.py --device webgpu"):
        choosing.find("webgpu")


@pytest.mark.parametrize("asked", ["card", "sum"])
def test_a_card_that_did_not_answer_is_asked_again_after_a_while(asked, monkeypatch) -> None:
    """A driver may be installed or come back while the daemon runs; a good answer is kept."""
    now, asks = [0.0], []
    answers: dict[str, list[object]] = {
        "card": [(), (PRETENDER,), (RADEON,)],
        "sum": ["it is lost", "it is lost", ""],
    }

    def ask() -> object:
        asks.append(now[0])
        return answers[asked][len(asks) - 1]

    kept = vulkan._kept if asked == "card" else webgpu._failure
    monkeypatch.setattr(kept, "_ask", ask)
    monkeypatch.setattr(kept, "_told", None)
    monkeypatch.setattr(kept_answer.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(webgpu, "installed", lambda: True)
    answer = vulkan.cards if asked == "card" else webgpu.problem
    told = []
    for seconds in (0, 1, 119, 120, 239, 241, 10_000):
        now[0] = seconds
        told.append(answer())
    first, second, good = answers[asked]
    assert told == [first] * 3 + [second] * 2 + [good] * 2
    assert asks == [0, 120, 241]


@pytest.mark.parametrize("engine", ["tape", "kernel"])
def test_an_executor_that_is_demanded_runs_on_the_cpu(stand_in, engine, monkeypatch) -> None:
    monkeypatch.setenv("DREAMLAYER_ENGINE", engine)
    network = extract("squeezenet1_1", ["3"], WebGpuDevice())
    assert (network.executor_name, network.runs_on) == (engine, torch.device("cpu"))


def test_tiles_fit_into_a_part_of_the_cards_memory(cards) -> None:
    assert memory.memory_budget(WebGpuDevice()) == 2 << 30
    cards["cards"] = (VulkanCard("small", True, 1 << 30),)
    assert memory.memory_budget(WebGpuDevice()) == 1 << 28
    cards["cards"] = ()  # WebGPU finds more than Vulkan
    assert memory.memory_budget(WebGpuDevice()) == 1 << 30


def test_on_a_card_tiles_come_one_by_one_and_nothing_is_measured(stand_in, monkeypatch) -> None:
    network = extract("squeezenet1_1", ["3"], WebGpuDevice())
    assert (network.executor_name, str(network.runs_on)) == ("onnx", "webgpu")
    assert network.device == torch.device("cpu")  # where the pictures are
    monkeypatch.setattr(tile_size, "_measure", lambda network: pytest.fail("measured"))
    window = tile_size.Window.whole(900, 700)
    assert tile_size.side(network, window, (916, 716)) >= 512


def test_a_dream_on_a_card_that_fails_starts_again_on_the_cpu(stand_in, monkeypatch) -> None:
    run_by_workers = workers.Workers.run
    monkeypatch.setattr(workers.Workers, "run", lambda *_: pytest.fail("worker threads"))
    monkeypatch.setattr(tile_size, "measured_cost", lambda _: tile_size.PassCost(0, 1, 1000))
    studio = LocalStudio()
    assert studio.device == "webgpu (AMD Radeon RX 7600)"
    monkeypatch.setattr(workers.shared, "count", 8)  # of which one pass would take four
    on_card, _ = finish(studio, "webgpu")
    assert (on_card.device, on_card.notes) == (studio.device, ())
    run, runs = stand_in.OnnxExecutor.run, []

    def failing(executor, *given):
        runs.append(executor)
        if len(runs) == 3:
            raise webgpu.WebGpuError("WebGPU: device lost")
        return run(executor, *given)

    monkeypatch.setattr(stand_in.OnnxExecutor, "run", failing)
    monkeypatch.setattr(workers.Workers, "run", run_by_workers)
    finished, texts = finish(studio, "webgpu")
    assert finished.device == "cpu"
    assert "The graphics card (webgpu) has stopped answering" in finished.notes[0]
    assert finished.notes[0] in texts
    assert not any("webgpu" in network for network in studio.networks)


def test_a_card_without_memory_gets_smaller_tiles(stand_in, monkeypatch) -> None:
    run, sizes = stand_in.OnnxExecutor.run, []

    def limited(executor, x, *given):
        sizes.append(x.shape[-2] * x.shape[-1])
        if len(sizes) == 1:
            raise webgpu.WebGpuOutOfMemory("WebGPU: too large")
        return run(executor, x, *given)

    studio = LocalStudio()
    monkeypatch.setattr(stand_in.OnnxExecutor, "run", limited)
    finished, _ = finish(studio, "webgpu")
    assert finished.device.startswith("webgpu")
    assert finished.notes == ()


SEE = """
import json
from dreamlayer.runtime import kept_answer, vulkan, webgpu
print(json.dumps([[c.name, c.real, c.memory] for c in vulkan.cards()] + [webgpu.add_up()]))
"""


def test_a_program_that_pretends_to_be_a_card_is_known_and_computes() -> None:
    pytest.importorskip("onnxruntime")
    environ = os.environ | software_card.variables()
    done = subprocess.run(
        [sys.executable, "-c", SEE], env=environ, capture_output=True, text=True, check=True
    )
    (name, real, memory), total = json.loads(done.stdout)
    assert name.startswith("SwiftShader Device")
    assert (real, total) == (False, 64.0)
    assert memory > 1 << 28
