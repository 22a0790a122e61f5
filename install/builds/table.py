"""PyTorch's builds, and how large an installation with each of them is."""

from __future__ import annotations

from dataclasses import dataclass

GB = 1e9
# The whole of an installation with the other libraries, in GB: to download, and on the disk.
# Measured for torch 2.13.0: cu130 on Linux, cpu on Windows, and the wheel of cpu on Linux. The
# others are rounded up from wheels of earlier releases: nothing here need be right to a tenth. Of
# the other libraries, OpenCV is the largest: 0.06 and 0.15 GB.
SIZES = {
    ("cpu", "linux"): (0.4, 1.2),
    ("cpu", "win32"): (0.3, 0.8),
    ("mps", "darwin"): (0.3, 0.9),
    ("cu130", "linux"): (2.9, 5.1),
    ("cu130", "win32"): (2.1, 4.7),
    ("cu126", "linux"): (3.1, 6.0),
    ("cu126", "win32"): (2.8, 5.2),
    ("xpu", "linux"): (2.1, 6.2),
    ("xpu", "win32"): (2.1, 5.2),
    ("rocm7.2", "linux"): (5.1, 18.2),
    ("webgpu", "linux"): (0.4, 1.3),  # that of cpu, with 36 and 110 MB of packages more
    ("webgpu", "win32"): (0.3, 0.9),
}
UNKNOWN = (3.0, 6.0)


@dataclass(frozen=True)
class TorchBuild:
    """A build of PyTorch."""

    name: str  # of its folder in PyTorch's index, and of the local version, e.g. cu130
    title: str  # for the user
    device: str = ""  # torch's name for the devices that it adds to the CPU, or "webgpu"
    beside: TorchBuild | None = None  # PyTorch's own, if ONNX Runtime is added to it

    @property
    def pytorch(self) -> TorchBuild:
        """The build of PyTorch itself."""
        return self.beside or self

    @property
    def is_in_pytorchs_index(self) -> bool:
        """Whether PyTorch's own index has it, under a local version; else only pip's index has."""
        return self.name != "mps"

    def pinned(self, requirement: str) -> str:
        """The requirement of a package, e.g. torch==2.13.0, for this build of it."""
        return f"{requirement}+{self.name}" if self.is_in_pytorchs_index else requirement

    def size(self, system: str) -> tuple[float, float]:
        """Bytes to download, and bytes on the disk."""
        fetched, unpacked = SIZES.get((self.name, system), UNKNOWN)
        return fetched * GB, unpacked * GB


CPU = TorchBuild("cpu", "PyTorch for the processor")
CU126 = TorchBuild("cu126", "PyTorch for CUDA 12.6", "cuda")
CU130 = TorchBuild("cu130", "PyTorch for CUDA 13", "cuda")
XPU = TorchBuild("xpu", "PyTorch for Intel Arc", "xpu")
ROCM = TorchBuild("rocm7.2", "PyTorch for ROCm 7.2", "cuda")
MPS = TorchBuild("mps", "PyTorch for Macs", "mps")
WEBGPU = TorchBuild(
    "webgpu", "PyTorch for the processor with ONNX Runtime for the card", "webgpu", CPU
)
BUILDS = {build.name: build for build in (CPU, CU126, CU130, XPU, ROCM, MPS, WEBGPU)}


def general(system: str, processor: str) -> TorchBuild:
    """The build that the general package index has, without a local version, for a system."""
    if system == "darwin":
        return MPS
    return CU130 if (system, processor) == ("linux", "x86") else CPU
