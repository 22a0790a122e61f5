"""The GPU executor, as far as it runs on the CPU; the rest on machines with a GPU."""

import pytest
import torch

from dreamlayer.networks.executors.cuda import executor
from dreamlayer.networks.executors.cuda.executor import BadPrecision, CudaExecutor, CudaGraphs
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import program_of

OUTPUTS, INPUTS_KEPT = (((2, 9), (1, 8)),), ((40, 150), (30, 130))


def executor_with(precision: str, device: str = "cpu") -> CudaExecutor:
    network = extract("squeezenet1_1", ["8"], device)
    return CudaExecutor(program_of(network.module), torch.device(device), precision)


def gradient(run, x) -> torch.Tensor:
    computed = run.run(x, OUTPUTS, INPUTS_KEPT)
    return computed.backward([2 * cells for cells in computed.maps])


def cosine(one, other) -> float:
    return float(torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))


def picture(seed: int = 1) -> torch.Tensor:
    return torch.rand(1, 3, 200, 190, generator=torch.Generator().manual_seed(seed))


def exact(x) -> torch.Tensor:
    network = extract("squeezenet1_1", ["8"]).to("cpu", torch.float64)
    return gradient(TapeExecutor(program_of(network.module)), x.double()).float()


@pytest.mark.parametrize(("precision", "gate"), [("bf16", 0.97), ("fp16", 0.99), ("fp32", 0.9999)])
def test_lower_precision_is_close_and_returns_float32(precision, gate):
    computed = gradient(executor_with(precision), picture())
    assert computed.dtype == torch.float32
    assert cosine(computed, exact(picture())) >= gate
    (cells,) = executor_with(precision).infer(picture(), OUTPUTS)
    assert cells.dtype == torch.float32
    assert cells.shape[-2:] == (7, 7)


def test_the_environment_chooses_the_precision(monkeypatch):
    assert executor.precision() == "bf16"
    monkeypatch.setenv(executor.PRECISION, " TF32 ")
    assert executor.precision() == "tf32"
    monkeypatch.setenv(executor.PRECISION, "int4")
    with pytest.raises(BadPrecision, match="'int4': use bf16, fp16, tf32, fp32"):
        executor.precision()


def test_very_small_gradients_do_not_underflow():
    computed = executor_with("fp16").run(picture(), OUTPUTS, INPUTS_KEPT)
    tiny = computed.backward([1e-9 * cells for cells in computed.maps])
    assert cosine(tiny, exact(picture())) >= 0.99
    nothing = executor_with("fp16").run(picture(), OUTPUTS, INPUTS_KEPT)
    assert not nothing.backward([0 * cells for cells in nothing.maps]).any()


class Replaying:
    """Records by storing the work, and replays it into the same tensors."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def record(self, work):
        self.recorded += 1
        result = work()

        def replay() -> None:
            self.replayed += 1
            again = work()
            if isinstance(result, torch.Tensor):
                result.copy_(again)
            else:
                result._inner = again._inner
                for mine, other in zip(result.maps, again.maps, strict=True):
                    mine.copy_(other)

        return replay, result


def test_each_shape_is_recorded_once_and_replayed_with_new_pixels():
    tape = TapeExecutor(program_of(extract("squeezenet1_1", ["8"]).module))
    recorder = Replaying()
    graphs = CudaGraphs(tape, recorder)
    for seed in (1, 2, 3):
        assert torch.equal(gradient(graphs, picture(seed)), gradient(tape, picture(seed)))
    assert recorder.recorded == 2  # forward and backward
    gradient(graphs, picture()[..., :-16])
    assert recorder.recorded == 4


def test_the_number_of_recorded_shapes_is_limited(monkeypatch):
    monkeypatch.setattr(executor, "GRAPHS", 2)
    tape, recorder = TapeExecutor(program_of(extract("squeezenet1_1", ["8"]).module)), Replaying()
    graphs = CudaGraphs(tape, recorder)
    for rows in (200, 199, 200, 198, 200, 199):  # the last one was dropped meanwhile
        gradient(graphs, picture()[..., :rows, :])
    assert recorder.recorded == 2 * 4


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@needs_cuda
@pytest.mark.parametrize(
    ("precision", "gate"), [("bf16", 0.97), ("fp16", 0.99), ("tf32", 0.99), ("fp32", 0.9999)]
)
def test_a_gpu_computes_the_gradient(precision, gate):
    gpu = executor_with(precision, "cuda")
    for seed in (1, 2, 3):
        computed = gradient(gpu, picture(seed).cuda()).cpu()
        assert cosine(computed, exact(picture(seed))) >= gate
