"""How near the gradient in 16 bits is to that in float64, on photos.

What differs is not rounding as such, but gates: where a ReLU's input or two inputs of a max pool
are nearly equal, rounding decides otherwise. The deeper the network, the more such gates, and
float32 itself decides some otherwise. So each network has a limit of its own: what is there now.

A card multiplies 16-bit numbers and adds up in float32, as is done here.
"""

import pytest
import torch
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

from dreamlayer.networks.executors.cuda.executor import CudaExecutor
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.networks.registry import registry, user_store
from dreamlayer.networks.registry.catalogue import EMBEDDED
from tests.engine.looks import photo
from tests.networks.random_states import random_state

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "raccoon.jpg", "china.jpg")
SIDE = 96  # px


class FloatSums(TorchDispatchMode):
    """Convolutions of 16-bit numbers add up in float32, rounded once."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution.default and args[0].dtype.itemsize == 2:
            wide = [x.float() if isinstance(x, torch.Tensor) else x for x in args]
            return func(*wide, **(kwargs or {})).to(args[0].dtype)
        return func(*args, **(kwargs or {}))


def gradient(executor, x):
    computed = executor.run(x)
    return computed.backward([2 * cells for cells in computed.maps]).double().flatten()


def cosine(one, other) -> float:
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))


@pytest.fixture
def model(request, tmp_path):
    """A network's name; one that is not part of Dreamlayer gets random weights."""
    before, name = user_store.current(), request.param
    user_store.keep_in(tmp_path)
    if registry.find(name).weights != EMBEDDED:
        save_file(random_state(name, 1000), tmp_path / f"{name}.safetensors")
    yield name
    user_store.keep_in(before.folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "layer", "least"),
    [
        ("squeezenet1_1", "features.10", 0.995),
        ("efficientnet-lite0", "_blocks.9", 0.97),
        ("vgg16", "features.20", 0.97),
        ("googlenet", "inception4c", 0.985),
    ],
    indirect=["model"],
)
def test_float16_is_near_float64_on_photos(model, layer, least):
    network = extract(model, [layer])
    program = program_of(network.module)
    half = CudaExecutor(program, torch.device("cpu"))
    exact = TapeExecutor(program_of(extract(model, [layer]).to("cpu", torch.float64).module))
    for name in PHOTOS:
        x = photo(name, max(SIDE, network.minimum))
        with FloatSums():
            computed = gradient(half, x)
        assert cosine(computed, gradient(exact, x.double())) >= least
    assert half.precision == "fp16"  # none of them is too large for it


def test_float16_is_nearer_to_float64_than_bfloat16():
    network = extract("squeezenet1_1", ["features.10"])
    program = program_of(network.module)
    exact = TapeExecutor(
        program_of(extract("squeezenet1_1", ["features.10"]).to("cpu", torch.float64).module)
    )
    for name in PHOTOS:
        x = photo(name, SIDE)
        right, cosines = gradient(exact, x.double()), {}
        for precision in ("fp16", "bf16"):
            with FloatSums():
                executor = CudaExecutor(program, torch.device("cpu"), precision)
                cosines[precision] = cosine(gradient(executor, x), right)
        assert cosines["fp16"] >= 0.99
        assert 1 - cosines["fp16"] < 0.4 * (1 - cosines["bf16"])
