"""Maps and gradients of the kernel's networks, into a file: runs in Windows and on Linux."""

import sys

import numpy as np

from dreamlayer.networks.executors.kernel import library
from tests.kernels import cases
from tests.kernels.recording import recorded

found = {}
for name, (program, size) in cases.programs().items():
    record = recorded(library.library(), program, size)
    for number, numbers in enumerate(record.results()):
        found[f"{name} {number}"] = numbers
np.savez(sys.argv[1], **found)
