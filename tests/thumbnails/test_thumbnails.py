"""The shipped thumbnails: one for each channel, layer and kind that `see` can name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from dreamlayer.networks.kinds import kinds, usual
from dreamlayer.thumbnails import sheets

MODELS = usual.models()
WEIGHT_MAX = 4_000_000  # bytes of all sheets


@pytest.mark.parametrize("model", MODELS)
def test_every_channel_that_can_be_seen_has_a_thumbnail(model: str) -> None:
    for layer in usual.layers(model):
        silent = usual.find(model, layer).silent.tolist()
        for channel, off in enumerate(silent):
            found = sheets.find(f"{model}/{layer}/{channel}")
            assert (found is None) is off, (layer, channel)
            if found is not None:
                assert found.pixels.shape == (sheets.SIDE, sheets.SIDE, 3)
                assert found.pixels.std() > 4, (layer, channel)
        assert sheets.find(f"{model}/{layer}/{len(silent)}") is None


@pytest.mark.parametrize("model", MODELS)
def test_every_layer_and_kind_has_a_thumbnail(model: str) -> None:
    names = [*usual.layers(model), *(f"kind:{name}" for name in kinds.seen(model))]
    found = [sheets.find(f"{model}/{name}") for name in names]
    pixels = {thumbnail.pixels.tobytes() for thumbnail in found if thumbnail is not None}
    assert len(pixels) == len(names)


@pytest.mark.parametrize(
    "address",
    ["", "nobody/1/2", "squeezenet1_1", "squeezenet1_1/features.5", "squeezenet1_1/features.12/x",
     "squeezenet1_1/features.12/-1", "squeezenet1_1/features.12/512", "squeezenet1_1/kind:unicorns",
     "squeezenet1_1/features.12/٣", "squeezenet1_1/../layers/0", "squeezenet1_1/features.12/1/2"],
)  # fmt: skip
def test_what_has_none_is_none(address: str) -> None:
    assert sheets.find(address) is None


def test_nine_in_ten_are_specific() -> None:
    """At least three times as much of their own channel as of the others; the rest is marked."""
    rows = [row for network in sheets.index().values() for row in network["channels"].items()]
    vague = sum(len(known["vague"]) for _, known in rows)
    total = sum(
        int((~usual.find(model, layer).silent).sum())
        for model in MODELS
        for layer in usual.layers(model)
    )
    assert vague <= 0.1 * total


def test_a_thumbnail_is_of_its_own_channel() -> None:
    """The sheets are in the channels' order: 8 pictures wake the channel that they are named by."""
    import torch

    from dreamlayer.networks.network import extract

    model, layer = "squeezenet1_1", "features.9"
    network, usually = extract(model, [layer]), usual.find(model, layer)
    hits = 0
    for channel in range(0, 384, 48):
        found = sheets.find(f"{model}/{layer}/{channel}")
        assert found is not None
        large = Image.fromarray(found.pixels).resize((128, 128), Image.Resampling.BICUBIC)
        picture = torch.from_numpy(np.asarray(large).copy()).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            scores = usually.deviations(network(picture)[0][0]).mean((1, 2))
        hits += int(scores.argsort(descending=True)[:10].eq(channel).any())
    assert hits >= 7


def test_the_sheets_are_small() -> None:
    assert sum(path.stat().st_size for path in sheets.FOLDER.rglob("*.*")) < WEIGHT_MAX
