"""What errors of devices mean, known by their texts: out of memory, failed, or neither.

The texts are those of CUDA and its libraries (cuDNN, cuBLAS), of HIP and MIOpen (AMD), of Level
Zero and SYCL (Intel), of Metal (Apple) and of the CPU's allocator; tests/runtime/test_errors.py
has a table of whole ones. torch is not imported here: errors can be told apart without it.
"""

from __future__ import annotations

OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "_alloc_failed",
    "out_of_device_memory",  # Level Zero
    "out_of_host_memory",
    "error_out_of_resources",
    "memory not available to allocate",  # MIOpen
)
FAILED = (
    "cuda error",
    "cuda driver",
    "cuda unknown error",
    "cudaerror",
    "cudacachingallocator",
    "cuda initialization",
    "no cuda gpus",
    "found no nvidia driver",
    "nvidia driver on your system is too old",
    "cudnn error",
    "cudnn_status",
    "was unable to find an engine",  # cuDNN, for convolutions: FIND … and GET …
    "unable to find a valid cudnn algorithm",
    "cublas error",
    "cublas_status",
    "cufft error",
    "when stream is capturing",
    "hip error",
    "hiperror",
    "no hip gpus",
    "miopen",
    "rocblas",
    "hipblas",
    "ur_result_error",  # Level Zero, by the Unified Runtime
    "pi_error",  # its predecessor
    "native api failed",
    "level_zero",
    "sycl",
    "no xpu devices",
    "xpu device count is zero",
    "mps backend",
    "mtlcommandbuffer",
    "mpsgraph",
    "webgpu",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the computer ran out of memory; a smaller tile may then succeed."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(clue in message for clue in OUT_OF_MEMORY)


def is_device_failure(error: BaseException) -> bool:
    """Whether a device failed rather than the program: driver reset, unplugged or suspended.

    Or its driver and libraries do not work together, which also leaves the CPU to take over.
    """
    if is_out_of_memory(error):
        return False
    message = str(error).lower()
    return type(error).__name__ == "AcceleratorError" or (
        isinstance(error, RuntimeError) and any(clue in message for clue in FAILED)
    )
