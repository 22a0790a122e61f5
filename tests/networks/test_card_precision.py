"""How near the gradient in 16 bits is to that in float64, on photos.

What differs is not rounding as such, but gates: where a ReLU's input or two inputs of a max pool
are nearly equal, rounding decides otherwise. Float32 itself decides some otherwise: with VGG16 on
the first photo it comes to 0.9964, so no 16-bit format can be asked for more there.

A card multiplies 16-bit numbers and adds up in float32, as is done here. `tests/bench/precision.py`
has larger photos, and tells which rounding costs how much.
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
from tests.bench.precision import PHOTOS, FloatSums, cosine, gradient
from tests.engine.looks import photo
from tests.networks.random_states import random_state

SIDE = 96  # px


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
        ("efficientnet-lite0", "_blocks.9", 0.995),
        ("googlenet", "inception4c", 0.995),
        ("vgg16", "features.20", 0.99),
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
    lost = {"fp16": [], "bf16": []}
    for name in PHOTOS:
        x = photo(name, SIDE)
        right = gradient(exact, x.double())
        for precision, losses in lost.items():
            with FloatSums():
                executor = CudaExecutor(program, torch.device("cpu"), precision)
                losses.append(1 - cosine(gradient(executor, x), right))
    assert max(lost["fp16"]) <= 0.005
    assert sum(lost["fp16"]) < 0.3 * sum(lost["bf16"])


class Convolutions(TorchDispatchMode):
    """Notes the number formats of all convolutions."""

    def __init__(self):
        super().__init__()
        self.formats = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution.default:
            self.formats.append(args[0].dtype)
        elif func is torch.ops.aten.mkldnn_convolution.default:
            self.formats.append(torch.float32)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("model", "layers", "front"),
    [
        ("squeezenet1_1", ["features.10"], 2),
        ("squeezenet1_1", ["features.2"], 0),  # most of the work is there: 16 bits throughout
        ("squeezenet1_1", ["features.2", "features.10"], 1),  # what is asked for has 16 bits
        ("efficientnet-lite0", ["_blocks.9"], 6),
        ("googlenet", ["inception4c"], 2),
        ("vgg16", ["features.20"], 1),
    ],
    indirect=["model"],
)
def test_the_first_convolutions_are_computed_in_float32_forward_only(model, layers, front):
    network = extract(model, layers)
    executor = CudaExecutor(program_of(network.module), torch.device("cpu"), "fp16")
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with Convolutions() as forward:
        computed = executor.run(x)
    with Convolutions() as backward:
        gradient = computed.backward([cells.clone() for cells in computed.maps])
    wide = [torch.float32] * front
    assert forward.formats == wide + [torch.float16] * (len(forward.formats) - front)
    assert set(backward.formats) == {torch.float16}
    assert gradient.dtype == torch.float32
