"""Install Dreamlayer for this user, and dream a first picture.

    python3 install/install.py                   install, or bring up to date; dream the sample
    python3 install/install.py --dream PICTURE   install if need be, then dream that picture
    python3 install/install.py --check           say what is installed and whether it works
    python3 install/install.py --uninstall       remove all that was installed

It needs Python 3.10 or newer and nothing else; this file can be read by much older Pythons.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 (this very check is what old Pythons get to see)
    sys.exit(
        "Dreamlayer needs Python 3.10 or newer and this is Python %d.%d:"  # noqa: UP031
        " install a newer one and run it with that, e.g. python3.12 install/install.py"
        % sys.version_info[:2]
    )

from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent

# The package `install` and dreamlink come from this source tree, and leave nothing in it.
sys.dont_write_bytecode = True
sys.path = [str(CHECKOUT), str(CHECKOUT / "plugins" / "link")] + [
    entry for entry in sys.path if Path(entry).resolve() != HERE
]

from install.installer import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(CHECKOUT))
