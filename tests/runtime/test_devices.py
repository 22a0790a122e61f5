"""Devices that fail, are full or idle. "cpu:0" stands for the GPU here: torch computes on it as on
"cpu", but regards it as another device."""

import gc
import threading
import weakref
from types import SimpleNamespace

import pytest
import torch

from dreamlayer.networks.network import Network
from dreamlayer.runtime.devices import choosing, memory
from dreamlayer.runtime.devices.choosing import Devices
from dreamlayer.studio import network_cache
from dreamlayer.studio.local import LocalStudio
from dreamlayer.studio.network_cache import NetworkCache
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest

GPU = torch.device("cpu:0")
CPU = torch.device("cpu")
QUICK = Recipe.of({"octaves": 2, "steps": 2, "seed": 4, "layer": "features.3"})
LAYOUT = Picture(48, 40)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(choosing, "time", clock)
    return clock


@pytest.fixture
def studio():
    return LocalStudio()


def lost():
    return torch.AcceleratorError("CUDA error: unspecified launch failure")


@pytest.fixture
def failing(monkeypatch):
    """Makes the n-th run on the GPU raise an error; counts the runs there."""
    run = Network.run
    failure = {"error": None, "at": 0, "runs": 0}

    def running(network, *given):
        if network.device == GPU:
            failure["runs"] += 1
            if failure["error"] is not None and failure["runs"] >= failure["at"]:
                raise failure["error"]
        return run(network, *given)

    monkeypatch.setattr(Network, "run", running)
    return failure


def finish(studio, device=str(GPU)):
    request = DreamRequest(QUICK, LAYOUT, LAYOUT.region, device=device)
    pixels = bytes(range(256)) * (LAYOUT.nbytes // 256)
    steps, texts = studio.dream(request, [pixels]), []
    while True:
        try:
            texts.append(next(steps).text)
        except StopIteration as done:
            return done.value, texts


# A device that fails.


def test_a_dream_restarts_on_the_cpu_when_its_device_fails(studio, failing):
    on_cpu, _ = finish(studio, "cpu")
    failing.update(error=lost(), at=3)
    finished, texts = finish(studio)
    assert bytes(finished.pixels) == bytes(on_cpu.pixels)
    assert finished.device == "cpu"
    (note,) = finished.notes
    assert "stopped answering: the CPU dreams instead" in note
    assert note in texts
    assert all("cpu:0" not in network for network in studio.networks)


def test_a_failed_device_is_not_used_until_it_answers(studio, failing, clock):
    failing.update(error=lost(), at=1)
    finish(studio)
    failing.update(error=None, runs=0)
    finished, _ = finish(studio)
    assert (failing["runs"], finished.device) == (0, "cpu")
    assert "stopped answering" in finished.notes[0]
    clock.now += 61
    finished, _ = finish(studio)
    assert failing["runs"] > 0
    assert (finished.device, finished.notes) == ("cpu:0", ())


def test_a_device_that_fails_repeatedly_is_not_tried_again(clock):
    devices_in_use = Devices()
    assert devices_in_use.choose("cpu:0") == (GPU, None)
    for _ in range(choosing.RETRIES):
        devices_in_use.give_up(GPU, lost())
        clock.now += 61
        assert devices_in_use.choose("cpu:0")[0] == GPU
    devices_in_use.give_up(GPU, lost())
    clock.now += 1e6
    assert devices_in_use.choose("cpu:0")[0] == CPU


def test_a_device_that_never_answers_does_not_block(clock, monkeypatch):
    devices_in_use, answer = Devices(), threading.Event()
    devices_in_use.choose("cpu:0")
    devices_in_use.give_up(GPU, lost())
    clock.now += 61
    monkeypatch.setattr(choosing, "ANSWER_WITHIN", 0.05)

    def never(*_, **__):
        answer.wait(60)
        return torch.zeros(8)

    monkeypatch.setattr(torch, "ones", never)
    try:
        assert devices_in_use.choose("cpu:0")[0] == CPU
    finally:
        answer.set()


def test_a_device_that_disappeared_counts_as_failed(monkeypatch):
    devices_in_use = Devices()
    devices_in_use.choose("cpu:0")

    def gone(name):
        raise choosing.UnknownDevice(name)

    monkeypatch.setattr(choosing, "find", gone)
    device, note = devices_in_use.choose("cpu:0")
    assert device == CPU
    assert "stopped answering" in note
    with pytest.raises(choosing.UnknownDevice):
        devices_in_use.choose("cuda:7")


def test_the_cpu_replaces_a_device_that_fails_at_startup(monkeypatch):
    find, to = choosing.find, Network.to

    def refusing(network, device, dtype=None):
        if torch.device(device) == GPU:
            raise lost()
        return to(network, device, dtype)

    monkeypatch.setattr(choosing, "find", lambda name: GPU if name == "auto" else find(name))
    monkeypatch.setattr(Network, "to", refusing)
    studio = LocalStudio()
    assert studio.device == "cpu"
    finished, _ = finish(studio, "auto")
    assert finished.device == "cpu"


def test_a_full_device_is_used_again_for_the_next_dream(studio, failing):
    failing.update(error=torch.OutOfMemoryError("CUDA out of memory."), at=2)
    finished, _ = finish(studio)
    assert finished.device == "cpu"
    assert "no memory left" in finished.notes[0]
    failing.update(error=None)
    assert finish(studio)[0].device == "cpu:0"


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("no such layer")])
def test_other_errors_are_raised_without_a_retry(studio, failing, error):
    failing.update(error=error, at=2)
    with pytest.raises(type(error), match=str(error)):
        finish(studio)


def test_errors_on_the_cpu_are_raised(studio, monkeypatch):
    def full(network, *given):
        raise MemoryError

    monkeypatch.setattr(Network, "run", full)
    with pytest.raises(MemoryError):
        finish(studio, "cpu")


# Politeness.


@pytest.mark.slow
def test_thread_and_duty_settings_apply(monkeypatch):
    from dreamlayer.engine.tiling import workers
    from dreamlayer.runtime import duty_cycle

    usual, rested = torch.get_num_threads(), []
    sleep = duty_cycle.time.sleep
    monkeypatch.setattr(
        duty_cycle,
        "time",
        SimpleNamespace(
            **vars(duty_cycle.time) | {"sleep": lambda s: (rested.append(s), sleep(s))}
        ),
    )
    try:
        studio = LocalStudio(threads=1, duty=5)
        assert (workers.shared.count, torch.get_num_threads()) == (1, 1)
        polite, _ = finish(studio, "cpu")
        assert sum(rested) > 0.001
        rested.clear()
        hasty, _ = finish(LocalStudio(), "cpu")
        assert (rested, workers.shared.count) == ([], workers.cores())
        assert bytes(polite.pixels) == bytes(hasty.pixels)
    finally:
        workers.shared.limit(0)
        torch.set_num_threads(usual)


# Networks that fall idle.


def test_idle_networks_are_dropped_and_loaded_again(monkeypatch):
    clock, freed = Clock(), []
    monkeypatch.setattr(memory, "free_memory", lambda: freed.append(True))
    networks = NetworkCache(300.0, clock.monotonic)
    with networks.using(QUICK, CPU) as network:
        clock.now += 1000  # a long dream is no idleness
        held = weakref.ref(network.module)
    del network
    assert networks.drop_idle() == pytest.approx(300)
    clock.now += 299
    assert networks.drop_idle() == pytest.approx(1)
    gc.collect()
    assert held() is not None
    clock.now += 1
    assert networks.drop_idle() is None
    gc.collect()
    assert held() is None
    assert freed == [True]
    assert networks.describe() == []
    with networks.using(QUICK, CPU) as network:
        assert network.layers == ("features.3",)
    (failure,) = networks.describe()
    assert failure.startswith("squeezenet1_1 features.3 on cpu (")


def test_an_idle_time_of_0_keeps_networks():
    clock = Clock()
    networks = NetworkCache(0.0, clock.monotonic)
    with networks.using(QUICK, CPU):
        pass
    clock.now += 1e9
    assert networks.drop_idle() is None
    assert len(networks.describe()) == 1


@pytest.mark.parametrize("engine", ["autograd", "tape"])
def test_the_list_of_networks_names_the_executor(monkeypatch, engine):
    monkeypatch.setenv("DREAMLAYER_ENGINE", engine)
    networks = NetworkCache()
    with networks.using(QUICK, CPU):
        assert networks.describe() == [f"squeezenet1_1 features.3 on cpu ({engine})"]


def test_the_most_recently_used_networks_are_kept(monkeypatch):
    monkeypatch.setattr(network_cache, "SMALL_KEPT", 4)
    networks = NetworkCache()
    for number in range(2, 8):
        with networks.using(Recipe.of({"layer": f"features.{number}"}), CPU):
            pass
        with networks.using(Recipe.of({"layer": "features.2"}), CPU):
            pass
    assert [text.split()[1] for text in networks.describe()] == [
        "features.5", "features.6", "features.7", "features.2",
    ]  # fmt: skip


# Which devices there are.


def there(monkeypatch, *kinds):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in kinds)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: "xpu" in kinds)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in kinds)


@pytest.mark.parametrize(
    ("kinds", "found"),
    [(("cuda", "xpu"), "cuda"), (("xpu",), "xpu"), (("mps",), "mps"), ((), "cpu")],
)
def test_auto_is_the_fastest_kind_of_card_that_is_there(monkeypatch, kinds, found):
    there(monkeypatch, *kinds)
    assert choosing.find("auto") == torch.device(found)


def test_a_driver_that_fails_while_it_is_asked_counts_as_no_card(monkeypatch):
    there(monkeypatch, "xpu")

    def broken():
        raise OSError("libze_loader.so.1: undefined symbol")

    monkeypatch.setattr(torch.cuda, "is_available", broken)
    assert choosing.find("auto") == torch.device("xpu")
    with pytest.raises(choosing.UnknownDevice, match="Use auto, cpu, cuda, xpu, mps or webgpu"):
        choosing.find("abacus")


def test_intels_card_is_described_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.xpu, "get_device_name", lambda _: "Intel Arc A770")
    assert choosing.describe_device(torch.device("xpu")) == "xpu (Intel Arc A770)"


@pytest.mark.parametrize(
    "error",
    [
        TypeError("BFloat16 is not supported on MPS"),
        OSError("libcuda.so.1: cannot open shared object file"),
        RuntimeError("a text that nobody has written before"),
    ],
)
def test_the_daemon_starts_whatever_a_driver_says(monkeypatch, error):
    find, run = choosing.find, Network.run

    def failing(network, *given):
        if network.device == GPU:
            raise error
        return run(network, *given)

    monkeypatch.setattr(choosing, "find", lambda name: GPU if name == "auto" else find(name))
    monkeypatch.setattr(Network, "run", failing)
    studio = LocalStudio()
    assert studio.device == "cpu"
    assert all("cpu:0" not in network for network in studio.networks)
