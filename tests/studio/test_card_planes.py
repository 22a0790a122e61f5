"""Pictures that are larger than a card: they stay in the computer, and the card gets their tiles.

There is no card. The network says that it is on one, whose amounts of memory are made up; whatever
is sent to it stays where it is, and is noted.
"""

from __future__ import annotations

import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dreamlayer.engine.tiling import tile_size
from dreamlayer.networks.executors.cuda.executor import CudaExecutor
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.runtime.devices import choosing, memory
from dreamlayer.studio import local, network_cache, room
from dreamlayer.studio.inputs import decode
from dreamlayer.studio.local import LocalStudio
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest

CARD, CPU = torch.device("cuda:0"), torch.device("cpu")
MB, GB = 1e6, 1 << 30
LAYOUT = Picture(420, 330, "U8", "RGB")
WAYS = {
    "plain": {},
    "noisy": {"noise": 0.1, "tv": 0.2, "stay": 0.2},
    "laplacian": {"conditioning": "laplacian"},
    "seamless": {"wrap": True},
    "painted": {"method": "painted"},
}


@pytest.fixture
def studio():
    return LocalStudio()


@pytest.fixture
def card(monkeypatch, studio):
    """A card, and where the network really is: on it, or for comparison on the CPU.

    `sent` are the sizes of all crops that went to the card, `most` how many were there at a time.
    """
    told = SimpleNamespace(
        total=24.0 * GB, free=10.0 * GB, device=CARD, sent=[], most=0, network=None
    )
    alive = weakref.WeakSet()

    def on_card(*given):
        told.network = network = extract(*given[:2])
        executor = CudaExecutor(program_of(network.module), CPU, "fp32")
        vars(network).update(_executor=executor, device=told.device)
        return network

    def send(x, device):
        if device.type == "cpu":
            return x
        x = x.clone()
        told.sent.append(x.shape[-1] * x.shape[-2])
        alive.add(x)
        told.most = max(told.most, len(alive))
        return x

    monkeypatch.setattr(network_cache, "extract", on_card)
    monkeypatch.setattr("dreamlayer.engine.tiling.tiled_gradient.transfer.send", send)
    monkeypatch.setattr(choosing.Devices, "choose", lambda *_: (told.device, None))
    monkeypatch.setattr(local, "describe_device", str)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (told.free, told.total))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 0)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 0)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *_: None)
    monkeypatch.setattr(memory, "_limited", set())
    monkeypatch.setattr(memory, "_fitted", {})
    return told


def request(**values):
    recipe = Recipe.of({"layer": "features.3", "octaves": 2, "steps": 2, "seed": 4, **values})
    return DreamRequest(recipe, LAYOUT, LAYOUT.region)


def frames():
    return [np.random.default_rng(1).integers(0, 256, LAYOUT.nbytes, np.uint8).data]


def dream(studio, **values):
    steps, texts = studio.dream(request(**values), frames()), []
    while True:
        try:
            texts.append(next(steps).text)
        except StopIteration as done:
            return done.value, texts


def as_on_the_cpu(studio, card, **values):
    """The same dream with the same executor, which is on the CPU, in one tile."""
    studio._networks.drop_from(CARD)
    card.device = CPU
    finished, _ = dream(studio, tile=4096, **values)
    card.device = CARD
    return bytes(finished.pixels)


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_larger_than_the_card_is_dreamed_with_the_card(studio, card, way):
    card.total = card.free = 16 * MB
    finished, _ = dream(studio, **WAYS[way])
    assert (finished.device, finished.notes) == ("cuda:0", ())
    assert len(card.sent) > 8  # several tiles a step
    # Never more than a tile, and what the network makes of it, within the card's budget.
    budget = memory.memory_budget(CARD)
    assert card.most == 1
    assert max(card.sent) * tile_size.bytes_per_crop_pixel(card.network) <= budget
    assert bytes(finished.pixels) == as_on_the_cpu(studio, card, **WAYS[way])


def test_a_card_that_is_full_half_way_gets_the_picture_in_pieces(studio, card, monkeypatch):
    placed = []

    def full(image, device):
        placed.append(device)
        if device == CARD:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return image

    monkeypatch.setattr(local, "to_device", full)
    memory.remember(CARD, 1.0)  # what fitted beside the picture
    finished, texts = dream(studio)
    assert placed == [CARD, CPU]
    assert local.IN_PIECES in texts
    assert (finished.device, finished.notes) == ("cuda:0", ())
    assert memory.fitted(CARD) is None
    assert bytes(finished.pixels) == as_on_the_cpu(studio, card)


def test_where_a_picture_lies_does_not_depend_on_other_programs(studio, card):
    """It decides how numbers are rounded: the same dream has the same pixels again."""
    network = network_cache.extract("squeezenet1_1", ["features.3"])
    inputs = decode(request(), frames())
    need = room.needed(network, inputs).on_card
    assert need > 3 * 4 * 2 * LAYOUT.width * LAYOUT.height
    for free in (0.0, 0.5, 1.0):
        card.total = 2.0 * GB
        card.free = free * card.total
        assert room.place_for_planes(network, inputs) == CARD
        card.total = need
        card.free = free * card.total
        assert room.place_for_planes(network, inputs) == CPU
