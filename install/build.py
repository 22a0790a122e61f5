"""Make the archives that people download, from this checkout.

    python3 install/build.py                    all of them, into dist/
    python3 install/build.py --targets native   those for this computer's system only
    python3 install/build.py --dirty            with changes that are not committed
    python3 install/build.py --wheelhouse DIR   what an installation without network needs

It needs git, and the network for the tools and for the parts that come from elsewhere, all pinned
with hashes.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
sys.dont_write_bytecode = True
sys.path = [str(CHECKOUT), str(CHECKOUT / "plugins" / "link")] + [
    entry for entry in sys.path if Path(entry).resolve() != HERE
]

from install.archives.commands import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(CHECKOUT))
