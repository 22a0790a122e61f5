"""Runs in Windows: mark the environment as made from this source tree, as install.py does."""

import sys
from pathlib import Path

CHECKOUT = Path(sys.argv[1])
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "plugins" / "link")]

from install.environment import STAMP  # noqa: E402
from install.own import Own  # noqa: E402
from install.packages.project import fingerprint  # noqa: E402

folder = Own.of_this_user().environment.folder
(folder / STAMP).write_text(fingerprint(CHECKOUT), encoding="utf-8")
