"""What `python -m tests.bench.picture_hashes` is made of: how it asks, and what it asks for."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported: on a busy machine
