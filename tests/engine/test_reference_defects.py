"""Defects of the implementation that Dreamlayer started from: each is measured, and is absent here.

Each test reproduces the reference's behaviour in a few lines, shows that the figure detects it, and
that Dreamlayer does not have it.
"""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from dreamlayer.engine.image import resize
from dreamlayer.engine.objectives.binding import bind, network_for
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window
from dreamlayer.networks.network import CLASS, extract
from dreamlayer.networks.registry import registry
from dreamlayer.networks.registry.torchvision_import import import_torchvision
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks
from tests.engine.gates import GATES
from tests.engine.networks import pooled
from tests.engine.plain import naive_gradient, plain_dream

SMALL = Recipe.of({"layer": "features.6", "octaves": 2, "steps": 3, "seed": 5})  # of pooled()


def texture(height, width):
    torch.manual_seed(3)
    return torch.rand(1, 3, height, width, dtype=torch.float64) * 0.6 + 0.2


def photo(side=160):
    return looks.photo("china.jpg", 400)[..., 60 : 60 + side, 60 : 60 + side].clone()


# Noise that was never applied.


def reference_noise(x, sigma, samples=0):
    for _ in range(samples):  # the reference's loop had no number of samples
        x = x + sigma * torch.randn_like(x)
    return x


def test_noise_is_added_before_every_gradient():
    """Without roll nothing else is random: if two seeds give the same dream, there was no noise."""
    network, source = pooled(), texture(40, 52)
    objective = bind(SMALL.expression(), network)

    def reference(seed):
        torch.manual_seed(seed)
        return naive_gradient(reference_noise(source, 0.2), network, objective, 64)

    def ours(seed):
        recipe = replace(SMALL, seed=seed, roll=False, noise=0.2)
        return looks.dream_detail(source, network, recipe)

    assert torch.equal(reference(5), reference(6))
    assert not torch.equal(ours(5), ours(6))


# Detail re-injection without effect: the "low-resolution look".


def reference_reinjection(x, dream, size):
    return resize.resize(x, size) + resize.resize(dream - x, size)


def test_detail_lost_in_coarse_octaves_comes_back_from_the_source():
    """With a network whose activations are zero, any loss is caused by the octaves alone."""
    source, silent = photo().double(), pooled()
    silent.module.apply(lambda layer: [p.data.zero_() for p in layer.parameters(recurse=False)])
    recipe = replace(SMALL, octaves=3, octave_scale=1.5)
    assert not looks.dream_detail(
        source, silent, recipe
    ).any()  # the result is the source, bit for bit

    sizes = resize.octave_sizes(*source.shape[-2:], 3, 1.5, silent.minimum)
    base = resize.resize(source, sizes[0])
    dream = base + 0.1 * texture(*sizes[0])
    injected = reference_reinjection(base, dream, sizes[-1])
    assert torch.allclose(injected, resize.resize(dream, sizes[-1]))  # no effect at all
    soft = plain_dream(source, silent, bind(SMALL.expression(), silent), recipe)
    left = looks.high_frequencies(soft) / looks.high_frequencies(source)
    assert left < 0.5 * GATES["fine"].low


# A regulariser with the wrong sign.


def variation(picture):
    return picture.diff(dim=-1).abs().mean() + picture.diff(dim=-2).abs().mean()


def reference_step(x, gradient, weight):
    """Down the loss −activation − weight · variation; the variation should have been reduced."""
    leaf = x.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(variation(leaf), leaf)
    return x + gradient + weight * slope


def test_regularisers_reduce_the_variation():
    source, network = texture(40, 52), pooled()
    plain, calm, near = (
        looks.dream_detail(source, network, replace(SMALL, smooth=0.0, step_size=4.0, **more))
        for more in ({}, {"tv": 1.0}, {"stay": 1.0})
    )
    assert variation(calm) < 0.8 * variation(plain)
    assert near.abs().mean() < 0.9 * plain.abs().mean()
    step = 4 / 255 * torch.randn_like(source)
    assert variation(reference_step(source, step, 100)) > variation(source + step)


# A wrong channel mean.


@pytest.mark.parametrize("name", ["vgg16", "alexnet", "resnet50"])
def test_preprocessing_is_that_of_the_training(name):
    reference = (0.485, 0.456, 0.496)  # a typing error: 0.406
    weights = import_torchvision().models.get_model_weights(name).IMAGENET1K_V1
    wanted = pytest.approx(weights.transforms().mean)
    assert registry.find(name).mean == wanted
    assert registry.find(name).std == pytest.approx(weights.transforms().std)
    assert reference != wanted


def test_the_mean_colour_is_zero_after_preprocessing():
    network = extract("squeezenet1_1", ["3"])
    mean = torch.tensor(registry.find("squeezenet1_1").mean).view(1, 3, 1, 1)
    prepared = network.module[0](mean.expand(1, 3, 4, 4))
    assert prepared.abs().max() < 1e-3  # of 255


# A network left in training mode.


def test_the_network_is_not_in_training_mode():
    """In training mode a network drops half of its units at random: no picture is repeatable."""
    network, source = extract("squeezenet1_1", [CLASS]), photo(64)
    parts = [module for part in (network.module, network._classifier) for module in part.modules()]
    assert not any(module.training for module in parts)
    assert torch.equal(network.logits(network(source)[0]), network.logits(network(source)[0]))
    reference = import_torchvision().models.squeezenet1_1(weights=None)  # no .eval()
    assert not torch.equal(reference(source), reference(source))


# Smaller tiles at the end, with larger gradients.


def last_over_others(gradient, tile):
    size = gradient.abs().mean(dim=(0, 1, 2))
    last = len(size) // tile * tile
    return float(size[last:].mean() / size[tile:last].mean())


def test_the_last_tiles_dream_as_strongly_as_the_others():
    network, source, tile = pooled(), texture(64, 3 * 32 + 12), 32
    objective, window = bind(SMALL.expression(), network), Window.whole(64, 108)
    tiled = TiledObjective(network, objective, PictureCanvas(64, 108), window, tile)
    ours = torch.zeros_like(source)
    assert list(tiled.add_gradient(source, ours))
    assert last_over_others(naive_gradient(source, network, objective, tile), tile) > 2
    assert last_over_others(ours, tile) == pytest.approx(1.0, abs=0.25)


# Unnecessary work.


def onednn_operations(x, weight, *_more, out_shape=None, **_named):
    return conv_flop_count(x, weight, out_shape)


ONEDNN = {torch.ops.aten.mkldnn_convolution: onednn_operations}  # torch has no count for it


def operations(work):
    with FlopCounterMode(display=False, custom_mapping=ONEDNN) as counter:
        work()
    return counter.get_total_flops()


@pytest.fixture
def counted(monkeypatch):
    """torch counts the operations of its own operators only."""
    monkeypatch.setenv("DREAMLAYER_ENGINE", "autograd")


@pytest.mark.usefixtures("counted")
def test_layers_after_the_target_are_not_computed():
    early, late = extract("squeezenet1_1", ["3"]), extract("squeezenet1_1", ["12"])
    picture = photo(128)
    assert operations(lambda: early(picture)) < 0.5 * operations(lambda: late(picture))
    held = [sum(p.numel() for p in network.module.parameters()) for network in (early, late)]
    assert held[0] < 0.1 * held[1]


def backward_over_forward(module, picture):
    leaf = picture.clone().requires_grad_(True)
    forward = operations(lambda: module(leaf))
    return operations(lambda: module(leaf).square().sum().backward()) / forward - 1


@pytest.mark.usefixtures("counted")
def test_no_gradient_of_weights_is_computed():
    """Backward to the picture costs as much as forward; to the weights as much again."""
    network, picture = extract("squeezenet1_1", ["6"]), photo(96)
    assert backward_over_forward(lambda x: network(x)[0], picture) < 1.2
    assert all(p.grad is None and not p.requires_grad for p in network.module.parameters())
    reference = import_torchvision().models.squeezenet1_1(weights=None).eval().features[:7]
    assert backward_over_forward(reference, picture) > 1.8


# The look of its pictures.


@pytest.fixture(scope="module")
def network():
    return network_for(Recipe())


def test_fine_detail_chroma_and_similarity_stay_in_their_gates(network):
    """The reference: 6 to 8.5 times the fine detail, 1.6 to 1.8 times the colour, SSIM 0.06."""
    source, recipe = photo(), Recipe.of({"seed": 7})
    many = replace(recipe, steps=40, step_size=2.9, octaves=3, octave_scale=1.5, roll=False)
    result = (source + looks.dream_detail(source, network, recipe)).clamp(0, 1)
    reference = plain_dream(source, network, bind(many.expression(), network), many)
    fine, fine_reference = (
        looks.high_frequencies(picture) / looks.high_frequencies(source)
        for picture in (result, reference)
    )
    assert GATES["fine"].holds(fine)
    assert fine_reference > 1.5 * GATES["fine"].high
    assert GATES["chroma"].holds(looks.chroma_ratio(source, result))
    assert looks.chroma_ratio(source, reference) > 1.6
    assert looks.ssim(source, result) > 0.7
    assert looks.ssim(source, reference) < 0.4


def test_the_roll_leaves_no_lattice(network):
    """Without roll every step sees the same phase of the network's grid."""
    source = photo()
    recipe = Recipe.of({"seed": 7, "octaves": 2, "steps": 15, "smooth": 0.4})
    rolled = looks.dream_detail(source, network, recipe)
    fixed = looks.dream_detail(source, network, replace(recipe, roll=False))
    assert GATES["lattice"].holds(looks.lattice_index(rolled, network.stride))
    assert looks.lattice_index(fixed, network.stride) > 1.1
