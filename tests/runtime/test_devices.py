"""Devices that fail, fill up and fall idle. "cpu:0" is the graphics card here: torch computes on it
as on "cpu", and takes it for another device."""

import gc
import threading
import weakref
from types import SimpleNamespace

import pytest
import torch

from dreamlayer.networks.network import Network
from dreamlayer.runtime import devices
from dreamlayer.runtime.devices import Devices
from dreamlayer.studio.local import LocalStudio
from dreamlayer.studio.network_cache import NetworkCache
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest

CARD = torch.device("cpu:0")
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
    monkeypatch.setattr(devices, "time", clock)
    return clock


@pytest.fixture
def studio():
    return LocalStudio()


def lost():
    return torch.AcceleratorError("CUDA error: unspecified launch failure")


@pytest.fixture
def failing(monkeypatch):
    """Makes the network's n-th run on the card raise what it is told; counts the runs there."""
    run = Network.run
    told = {"error": None, "at": 0, "runs": 0}

    def running(network, *given):
        if network.device == CARD:
            told["runs"] += 1
            if told["error"] is not None and told["runs"] >= told["at"]:
                raise told["error"]
        return run(network, *given)

    monkeypatch.setattr(Network, "run", running)
    return told


def finish(studio, device=str(CARD)):
    request = DreamRequest(QUICK, LAYOUT, LAYOUT.region, device=device)
    pixels = bytes(range(256)) * (LAYOUT.nbytes // 256)
    steps, texts = studio.dream(request, [pixels]), []
    while True:
        try:
            texts.append(next(steps).text)
        except StopIteration as done:
            return done.value, texts


# What errors mean.


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 5 GB, other allocations: 1 GB)"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_out_of_memory_is_recognised_and_no_failure_of_the_device(error):
    assert devices.is_out_of_memory(error)
    assert not devices.is_device_failure(error)


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: the launch timed out and was terminated"),
        RuntimeError("CUDA error: unknown error"),
        RuntimeError("CUDA driver error: device is lost"),
        RuntimeError("CUDA driver initialization failed, you might not have a CUDA gpu."),
        RuntimeError("CUDA unknown error - this may be due to an incorrectly set up environment"),
        RuntimeError("cudaErrorLaunchFailure: unspecified launch failure"),
        RuntimeError("NVML_SUCCESS == r INTERNAL ASSERT FAILED at c10/CUDACachingAllocator.cpp"),
        RuntimeError("No CUDA GPUs are available"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
        RuntimeError("HIP error: invalid device function"),
        RuntimeError("MTLCommandBuffer: command buffer exited with error status"),
    ],
)
def test_a_failed_device_is_recognised_and_not_taken_for_a_full_one(error):
    assert devices.is_device_failure(error)
    assert not devices.is_out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("shape mismatch"), ValueError("out of memory"), KeyError("CUDA error")]
)
def test_other_errors_are_the_programs_own(error):
    assert not devices.is_device_failure(error)
    assert not devices.is_out_of_memory(error)


def test_the_cpus_allocator_runs_out_of_memory_as_expected():
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert devices.is_out_of_memory(caught.value)


# A device that fails.


def test_a_dream_whose_device_fails_is_begun_again_on_the_cpu(studio, failing):
    on_cpu, _ = finish(studio, "cpu")
    failing.update(error=lost(), at=3)
    finished, texts = finish(studio)
    assert bytes(finished.pixels) == bytes(on_cpu.pixels)
    assert finished.device == "cpu"
    (note,) = finished.notes
    assert "stopped answering: the CPU dreams instead" in note
    assert note in texts
    assert all("cpu:0" not in network for network in studio.networks)


def test_later_dreams_leave_a_failed_device_alone_until_it_answers(studio, failing, clock):
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


def test_a_device_that_fails_again_and_again_is_not_asked_any_more(clock):
    found = Devices()
    assert found.choose("cpu:0") == (CARD, None)
    for _ in range(devices.ASK_AGAIN_TIMES):
        found.give_up(CARD, lost())
        clock.now += 61
        assert found.choose("cpu:0")[0] == CARD
    found.give_up(CARD, lost())
    clock.now += 1e6
    assert found.choose("cpu:0")[0] == CPU


def test_a_device_that_never_answers_holds_nothing_up(clock, monkeypatch):
    found, answer = Devices(), threading.Event()
    found.choose("cpu:0")
    found.give_up(CARD, lost())
    clock.now += 61
    monkeypatch.setattr(devices, "ANSWER_WITHIN", 0.05)

    def never(*_, **__):
        answer.wait(60)
        return torch.zeros(8)

    monkeypatch.setattr(torch, "ones", never)
    try:
        assert found.choose("cpu:0")[0] == CPU
    finally:
        answer.set()


def test_a_device_that_went_between_two_dreams_is_not_called_unknown(monkeypatch):
    found = Devices()
    found.choose("cpu:0")

    def gone(name):
        raise devices.UnknownDevice(name)

    monkeypatch.setattr(devices, "find", gone)
    device, note = found.choose("cpu:0")
    assert device == CPU
    assert "stopped answering" in note
    with pytest.raises(devices.UnknownDevice):
        found.choose("cuda:7")


def test_a_device_that_fails_at_the_start_leaves_the_cpu(monkeypatch):
    find, to = devices.find, Network.to

    def refusing(network, device, dtype=None):
        if torch.device(device) == CARD:
            raise lost()
        return to(network, device, dtype)

    monkeypatch.setattr(devices, "find", lambda name: CARD if name == "auto" else find(name))
    monkeypatch.setattr(Network, "to", refusing)
    studio = LocalStudio()
    assert studio.device == "cpu"
    finished, _ = finish(studio, "auto")
    assert finished.device == "cpu"


def test_a_full_device_leaves_this_dream_to_the_cpu_and_is_used_again(studio, failing):
    failing.update(error=torch.OutOfMemoryError("CUDA out of memory."), at=2)
    finished, _ = finish(studio)
    assert finished.device == "cpu"
    assert "no memory left" in finished.notes[0]
    failing.update(error=None)
    assert finish(studio)[0].device == "cpu:0"


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("no such layer")])
def test_other_errors_are_not_hidden_by_another_try(studio, failing, error):
    failing.update(error=error, at=2)
    with pytest.raises(type(error), match=str(error)):
        finish(studio)


def test_what_fails_on_the_cpu_fails(studio, monkeypatch):
    def full(network, *given):
        raise MemoryError

    monkeypatch.setattr(Network, "run", full)
    with pytest.raises(MemoryError):
        finish(studio, "cpu")


# Politeness.


def test_threads_and_duty_are_obeyed(monkeypatch):
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
    monkeypatch.setattr(devices, "free_memory", lambda: freed.append(True))
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
    (told,) = networks.describe()
    assert told.startswith("squeezenet1_1 features.3 on cpu (")


def test_an_idle_time_of_0_keeps_networks_for_ever():
    clock = Clock()
    networks = NetworkCache(0.0, clock.monotonic)
    with networks.using(QUICK, CPU):
        pass
    clock.now += 1e9
    assert networks.drop_idle() is None
    assert len(networks.describe()) == 1


@pytest.mark.parametrize("engine", ["autograd", "tape"])
def test_it_is_told_how_a_network_is_computed(monkeypatch, engine):
    monkeypatch.setenv("DREAMLAYER_ENGINE", engine)
    networks = NetworkCache()
    with networks.using(QUICK, CPU):
        assert networks.describe() == [f"squeezenet1_1 features.3 on cpu ({engine})"]


def test_only_so_many_networks_are_kept_those_used_last():
    networks = NetworkCache()
    for number in range(2, 8):
        with networks.using(Recipe.of({"layer": f"features.{number}"}), CPU):
            pass
        with networks.using(Recipe.of({"layer": "features.2"}), CPU):
            pass
    assert [text.split()[1] for text in networks.describe()] == [
        "features.5", "features.6", "features.7", "features.2",
    ]  # fmt: skip
