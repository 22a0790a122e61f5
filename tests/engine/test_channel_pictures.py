"""Pictures of channels, imagined many at once: each is of its own channel."""

import torch

from dreamlayer.networks.network import extract
from tests.bench.channel_pictures import SPECIFIC, batched, gain, imagined

MODEL, LAYER = "squeezenet1_1", "features.9"


def test_each_picture_is_of_its_own_channel():
    network = extract(MODEL, [LAYER])
    channels = [3, 10, 200]
    made = imagined(network, batched(MODEL, LAYER), channels, 64, 24)
    assert made.shape == (3, 3, 64, 64)
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
    for channel, picture in zip(channels, made, strict=True):
        assert gain(network, picture, channel) >= SPECIFIC
    assert gain(network, made[0], channels[1]) < SPECIFIC


def test_several_pictures_at_once_have_the_maps_that_each_has_alone():
    network, module = extract(MODEL, [LAYER]), batched(MODEL, LAYER)
    views = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = module(views)[0]
        alone = torch.cat([network(view[None])[0] for view in views])
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-2)
