"""The GPU executor, as far as it runs on the CPU; the rest on machines with a GPU."""

from dataclasses import replace

import pytest
import torch

from dreamlayer.networks.executors.cuda import executor as cuda
from dreamlayer.networks.executors.cuda import graphs, precision
from dreamlayer.networks.executors.cuda.executor import CudaExecutor
from dreamlayer.networks.executors.cuda.precision import BadPrecision, CastPass
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import Program, program_of
from dreamlayer.runtime import interruption
from tests.networks.recorders import PoolRule, Replaying

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
    assert precision.demanded() is None
    monkeypatch.setenv(precision.PRECISION, " TF32 ")
    assert precision.demanded() == "tf32"
    monkeypatch.setenv(precision.PRECISION, "int4")
    with pytest.raises(BadPrecision, match="'int4': use fp16, bf16, tf32, fp32"):
        precision.demanded()


def test_very_small_gradients_do_not_underflow():
    computed = executor_with("fp16").run(picture(), OUTPUTS, INPUTS_KEPT)
    tiny = computed.backward([1e-9 * cells for cells in computed.maps])
    assert cosine(tiny, exact(picture())) >= 0.99
    nothing = executor_with("fp16").run(picture(), OUTPUTS, INPUTS_KEPT)
    assert not nothing.backward([0 * cells for cells in nothing.maps]).any()


def test_numbers_that_are_too_large_for_float16_are_computed_in_bfloat16():
    network = extract("squeezenet1_1", ["8"])
    program = program_of(network.module)
    steps = list(program.steps)
    steps[1] = replace(steps[1], weight=steps[1].weight * 4e4, bias=steps[1].bias * 4e4)
    loud = Program(tuple(steps), program.outputs)
    executor = CudaExecutor(loud, torch.device("cpu"))
    assert executor.precision == "fp16"
    first, second = gradient(executor, picture()), gradient(executor, picture(2))
    assert executor.precision == "bf16"
    assert torch.isfinite(first).all()
    reference = TapeExecutor(loud)
    assert cosine(first, gradient(reference, picture())) >= 0.95
    assert cosine(second, gradient(reference, picture(2))) >= 0.95


def test_a_gradient_that_is_too_large_for_float16_is_computed_in_bfloat16(monkeypatch):
    executor = CudaExecutor(program_of(extract("squeezenet1_1", ["8"]).module), torch.device("cpu"))
    backward = CastPass.backward

    def overflowing(computed, grads):
        gradient = backward(computed, grads)
        return gradient / 0 if computed._narrow == torch.float16 else gradient

    monkeypatch.setattr(CastPass, "backward", overflowing)
    assert torch.isfinite(gradient(executor, picture())).all()
    assert executor.precision == "bf16"


def test_a_card_without_bfloat16_computes_in_float32(monkeypatch):
    executor = CudaExecutor(program_of(extract("squeezenet1_1", ["8"]).module), torch.device("cpu"))
    convert = precision.converted

    def refusing(program, dtype):
        if dtype == torch.bfloat16:
            raise TypeError("BFloat16 is not supported on MPS")
        return convert(program, dtype)

    monkeypatch.setattr(cuda, "converted", refusing)
    executor._widen()
    assert executor.precision == "fp32"


def test_a_demanded_precision_is_kept(monkeypatch):
    monkeypatch.setenv(precision.PRECISION, "fp16")
    executor = CudaExecutor(program_of(extract("squeezenet1_1", ["8"]).module), torch.device("cpu"))
    assert not torch.isfinite(gradient(executor, picture() * 1e6)).all()
    assert executor.precision == "fp16"


def test_settings_hold_for_the_networks_own_work_only(monkeypatch):
    def now():
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        return matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic

    before, within = now(), []
    run, backward = TapeExecutor.run, CastPass.backward
    monkeypatch.setattr(TapeExecutor, "run", lambda *given: (within.append(now()), run(*given))[1])
    monkeypatch.setattr(
        CastPass, "backward", lambda *given: (within.append(now()), backward(*given))[1]
    )
    gradient(executor_with("fp16"), picture())
    gradient(executor_with("tf32"), picture())
    assert within == 2 * [(False, False, False, True)] + 2 * [(True, True, False, True)]
    assert now() == before


# Recording.


def recording(recorder) -> CudaExecutor:
    program = program_of(extract("squeezenet1_1", ["8"]).module)
    return CudaExecutor(program, torch.device("cpu"), "fp32", recorder)


def test_each_shape_is_recorded_once_it_comes_again_and_replayed_with_new_pixels():
    recorder = Replaying()
    executor, plain = recording(recorder), executor_with("fp32")
    for seed in (1, 2, 3, 4):
        assert torch.equal(gradient(executor, picture(seed)), gradient(plain, picture(seed)))
    assert (recorder.recorded, recorder.replayed) == (2, 6)  # forward and backward
    gradient(executor, picture()[..., :-16])
    assert recorder.recorded == 2


def test_no_more_shapes_are_recorded_than_are_kept(monkeypatch):
    monkeypatch.setattr(graphs, "GRAPHS", 2)
    monkeypatch.setattr(graphs, "IN_USE", 6)
    recorder = Replaying()
    executor = recording(recorder)
    for _ in range(3):
        for rows in (200, 199, 198):  # one more than fits, each in use
            gradient(executor, picture()[..., :rows, :])
    assert recorder.recorded == 2 * 2
    for _ in range(9):
        gradient(executor, picture()[..., :198, :])
    assert recorder.recorded == 2 * 3  # the first has not been used for a while


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), torch.AcceleratorError("CUDA error")]
)
def test_an_error_while_recording_gives_up_graphs_and_pool(failing, error):
    recorder, plain = PoolRule({failing: error}), executor_with("fp32")
    executor = recording(recorder)
    for seed in range(3):
        for rows in (200, 190):
            x = picture(seed)[..., :rows, :]
            assert torch.equal(gradient(executor, x), gradient(plain, x))
    assert recorder.cleared == 1
    before = recorder.recorded
    for _ in range(3):
        gradient(executor, picture()[..., :180, :])
    # After too little memory work is recorded anew, in another pool.
    assert recorder.recorded == before + (2 if isinstance(error, torch.OutOfMemoryError) else 0)


def test_recording_ends_after_too_little_memory_again_and_again():
    full = torch.OutOfMemoryError("CUDA out of memory.")
    recorder = PoolRule(dict.fromkeys(range(1, 100), full))
    executor = recording(recorder)
    for _ in range(20):
        gradient(executor, picture())
    assert recorder.begun == graphs.OUT_OF_MEMORY_MOST


def test_a_dream_that_is_ended_while_it_is_recorded_leaves_nothing_behind():
    recorder = PoolRule({1: interruption.Interrupted()})
    executor, plain = recording(recorder), executor_with("fp32")
    gradient(executor, picture())
    with pytest.raises(interruption.Interrupted):
        gradient(executor, picture())
    assert recorder.cleared == 1
    for _ in range(3):
        assert torch.equal(gradient(executor, picture()), gradient(plain, picture()))
    assert recorder.recorded == 2


def test_the_time_of_a_replay_limits_the_next_tiles(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(graphs.time, "perf_counter", lambda: next(now) * 0.125)
    executor = recording(Replaying())
    assert executor.largest_area() == cuda.UNTIMED_AREA
    for _ in range(3):
        gradient(executor, picture())
    assert executor.largest_area() == pytest.approx(2 * 200 * 190)  # 0.25 s of 0.125 s for these
    assert next(now) == 2  # one replay of this size was timed
    assert executor_with("fp32").largest_area() == float("inf")


def test_memory_is_estimated_for_the_numbers_that_are_stored():
    wide, narrow = executor_with("fp32").bytes_per_pixel, executor_with("fp16").bytes_per_pixel
    assert 0.5 <= narrow / wide < 0.75


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
