"""What errors of devices mean: a table of texts as libraries and drivers write them."""

import pytest
import torch

from dreamlayer.runtime.devices import errors

MEMORY = {  # a smaller tile may succeed
    "CPU": "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to",
    "CPU, Windows": "DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes",
    "C++": "std::bad_alloc",
    "CUDA": "CUDA error: out of memory",
    "cuDNN": "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuBLAS": "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "HIP": "HIP out of memory. Tried to allocate 768.00 MiB. GPU 0 has a total capacity of 19.98",
    "HIP, late": "HIP error: out of memory",
    "MIOpen": "MIOpen Error: handlehip.cpp:70: Memory not available to allocate buffer: 655360000",
    "Level Zero": "level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)",
    "SYCL": "Native API failed. Native API returns: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)",
    "SYCL, host": "Native API failed. Native API returns: 38 (UR_RESULT_ERROR_OUT_OF_HOST_MEMORY)",
    "Level Zero, full": "backend failed with error: 40 (UR_RESULT_ERROR_OUT_OF_RESOURCES)",
    "XPU": "XPU out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.91 GiB",
    "MPS": "MPS backend out of memory (MPS allocated: 5 GB, other allocations: 1 GB)",
}  # fmt: skip
FAILED = {  # the CPU takes over
    "launch": "CUDA error: unspecified launch failure",
    "unknown": "CUDA error: unknown error",
    "driver": "CUDA driver error: device is lost",
    "initialisation": "CUDA driver initialization failed, you might not have a CUDA gpu.",
    "old driver": "The NVIDIA driver on your system is too old (found version 11040).",
    "no driver": "Found no NVIDIA driver on your system.",
    "set up": "CUDA unknown error - this may be due to an incorrectly set up environment",
    "named": "cudaErrorLaunchFailure: unspecified launch failure",
    "no kernel": "CUDA error: no kernel image is available for execution on the device",
    "allocator": "NVML_SUCCESS == r INTERNAL ASSERT FAILED at c10/CUDACachingAllocator.cpp",
    "none": "No CUDA GPUs are available",
    "recording": "CUDA error: operation not permitted when stream is capturing",
    "recording, no prefix": "operation not permitted when stream is capturing",
    "cuDNN": "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "cuDNN, FIND": "FIND was unable to find an engine to execute this computation",
    "cuDNN, GET": "GET was unable to find an engine to execute this computation",
    "cuDNN, older": "Unable to find a valid cuDNN algorithm to run convolution",
    "cuBLAS": "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`",
    "cuFFT": "cuFFT error: CUFFT_INTERNAL_ERROR",
    "HIP": "HIP error: invalid device function",
    "no HIP": "No HIP GPUs are available",
    "MIOpen": "miopenStatusUnknownError",
    "MIOpen, internal": "miopenStatusInternalError",
    "rocBLAS": "rocBLAS error: Cannot read TensileLibrary.dat: Illegal seek for GPU arch : gfx1103",
    "Level Zero": "level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)",
    "SYCL": "Native API failed. Native API returns: 20 (UR_RESULT_ERROR_DEVICE_LOST)",
    "SYCL, older": "Native API failed. Native API returns: -999 (Unknown PI error)",
    "XPU": "No XPU devices are available.",
    "MPS": "MPS backend is supported on MacOS 14.0+. Current OS version can be queried",
    "Metal": "MTLCommandBuffer: command buffer exited with error status",
}
OURS = {  # a fault of the program: it is raised
    "shapes": "The size of tensor a (3) must match the size of tensor b (4) at dimension 1",
    "kinds": "Input type (float) and bias type (c10::Half) should be the same",
    "mixed": "Expected all tensors to be on the same device, but found at least two devices",
    "weights": "Error(s) in loading state_dict for SqueezeNet: Missing key(s)",
}


@pytest.mark.parametrize("text", MEMORY.values(), ids=MEMORY)
def test_out_of_memory_is_not_a_device_failure(text):
    assert errors.is_out_of_memory(RuntimeError(text))
    assert not errors.is_device_failure(RuntimeError(text))


@pytest.mark.parametrize("text", FAILED.values(), ids=FAILED)
def test_a_device_failure_is_not_out_of_memory(text):
    assert errors.is_device_failure(RuntimeError(text))
    assert not errors.is_out_of_memory(RuntimeError(text))


@pytest.mark.parametrize("text", OURS.values(), ids=OURS)
def test_a_fault_of_the_program_is_neither(text):
    assert not errors.is_device_failure(RuntimeError(text))
    assert not errors.is_out_of_memory(RuntimeError(text))


def test_the_kind_of_an_error_may_say_more_than_its_text():
    assert errors.is_out_of_memory(MemoryError())
    assert errors.is_out_of_memory(torch.OutOfMemoryError("Tried to allocate 2.00 GiB"))
    assert errors.is_device_failure(torch.AcceleratorError("the launch timed out"))
    for ours in (ValueError("out of memory"), KeyError("CUDA error")):
        assert not errors.is_device_failure(ours)
        assert not errors.is_out_of_memory(ours)


def test_the_cpu_allocators_out_of_memory_error_is_recognised():
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert errors.is_out_of_memory(caught.value)
