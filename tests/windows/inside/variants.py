"""Runs in Windows: the variants of the kernel's DLL that it says this processor can run."""

import json

from dreamlayer.networks.executors.kernel import library

print(json.dumps(list(library._variants(library.library().functions))))
