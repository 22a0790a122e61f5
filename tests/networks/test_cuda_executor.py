"""The way of a graphics card, as far as it goes on the CPU; the rest where there is a card."""

import pytest
import torch

from dreamlayer.networks.executors.cuda import executor
from dreamlayer.networks.executors.cuda.executor import BadPrecision, CudaExecutor, CudaGraphs
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.runtime import devices

WANTED, KEEP = (((2, 9), (1, 8)),), ((40, 150), (30, 130))


def card(wanted: str, device: str = "cpu") -> CudaExecutor:
    network = extract("squeezenet1_1", ["8"], device)
    return CudaExecutor(program_of(network.module), torch.device(device), wanted)


def gradient(run, x) -> torch.Tensor:
    found = run.run(x, WANTED, KEEP)
    return found.backward([2 * cells for cells in found.maps])


def cosine(one, other) -> float:
    return float(torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))


def picture(seed: int = 1) -> torch.Tensor:
    return torch.rand(1, 3, 200, 190, generator=torch.Generator().manual_seed(seed))


def exact(x) -> torch.Tensor:
    network = extract("squeezenet1_1", ["8"]).to("cpu", torch.float64)
    return gradient(TapeExecutor(program_of(network.module)), x.double()).float()


@pytest.mark.parametrize(("wanted", "gate"), [("bf16", 0.97), ("fp16", 0.99), ("fp32", 0.9999)])
def test_lower_precision_is_near_enough_and_ends_in_single(wanted, gate):
    found = gradient(card(wanted), picture())
    assert found.dtype == torch.float32
    assert cosine(found, exact(picture())) >= gate
    (cells,) = card(wanted).infer(picture(), WANTED)
    assert cells.dtype == torch.float32
    assert cells.shape[-2:] == (7, 7)


def test_the_precision_is_a_choice(monkeypatch):
    assert executor.precision() == "bf16"
    monkeypatch.setenv(executor.PRECISION, " TF32 ")
    assert executor.precision() == "tf32"
    monkeypatch.setenv(executor.PRECISION, "int4")
    with pytest.raises(BadPrecision, match="'int4': use bf16, fp16, tf32, fp32"):
        executor.precision()


def test_very_small_slopes_are_not_lost():
    found = card("fp16").run(picture(), WANTED, KEEP)
    tiny = found.backward([1e-9 * cells for cells in found.maps])
    assert cosine(tiny, exact(picture())) >= 0.99
    nothing = card("fp16").run(picture(), WANTED, KEEP)
    assert not nothing.backward([0 * cells for cells in nothing.maps]).any()


class Replaying:
    """Records by remembering the work, and replays it into the same tensors."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def record(self, work):
        self.recorded += 1
        given = work()

        def replay() -> None:
            self.replayed += 1
            again = work()
            if isinstance(given, torch.Tensor):
                given.copy_(again)
            else:
                given._inner = again._inner
                for mine, other in zip(given.maps, again.maps, strict=True):
                    mine.copy_(other)

        return replay, given


def test_each_shape_is_recorded_once_and_replayed_with_new_pixels():
    tape = TapeExecutor(program_of(extract("squeezenet1_1", ["8"]).module))
    recorder = Replaying()
    graphs = CudaGraphs(tape, recorder)
    for seed in (1, 2, 3):
        assert torch.equal(gradient(graphs, picture(seed)), gradient(tape, picture(seed)))
    assert recorder.recorded == 2  # forth and back
    gradient(graphs, picture()[..., :-16])
    assert recorder.recorded == 4


def test_only_so_many_shapes_are_kept(monkeypatch):
    monkeypatch.setattr(executor, "GRAPHS", 2)
    tape, recorder = TapeExecutor(program_of(extract("squeezenet1_1", ["8"]).module)), Replaying()
    graphs = CudaGraphs(tape, recorder)
    for rows in (200, 199, 200, 198, 200, 199):  # the last has been forgotten meanwhile
        gradient(graphs, picture()[..., :rows, :])
    assert recorder.recorded == 2 * 4


def test_tiles_are_planned_for_a_part_of_the_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10 << 30, 24 << 30))
    assert devices.memory_budget(torch.device("cuda")) == pytest.approx(7 << 30)


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@needs_cuda
@pytest.mark.parametrize(
    ("wanted", "gate"), [("bf16", 0.97), ("fp16", 0.99), ("tf32", 0.99), ("fp32", 0.9999)]
)
def test_a_card_computes_the_gradient(wanted, gate):
    one = card(wanted, "cuda")
    for seed in (1, 2, 3):
        found = gradient(one, picture(seed).cuda()).cpu()
        assert cosine(found, exact(picture(seed))) >= gate
