"""Install Dreamlayer for this user, and dream on a first picture.

    python3 install/install.py                   install or update; dream on the sample picture
    python3 install/install.py --dream PICTURE   install if necessary, then dream on PICTURE
    python3 install/install.py --device cpu      the same, for the processor (auto, cuda, ...)
    python3 install/install.py --autostart       the same, and start the daemon at each login
    python3 install/install.py --check           report what is installed and whether it works
    python3 install/install.py --uninstall       remove everything that was installed

It needs only Python 3.10 or newer; much older Pythons can parse this file, to say so.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 (the check is for old Pythons)
    sys.exit(
        "Dreamlayer needs Python 3.10 or newer, but this is Python %d.%d:"  # noqa: UP031
        " install a newer one and run it with that, e.g. python3.12 install/install.py"
        % sys.version_info[:2]
    )

from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent

# The packages `install`, dreamlink and dreamlayer are imported from this source tree; leave no
# bytecode in it.
sys.dont_write_bytecode = True
sys.path = [str(CHECKOUT), str(CHECKOUT / "plugins" / "link"), str(CHECKOUT / "daemon")] + [
    entry for entry in sys.path if Path(entry).resolve() != HERE
]

from install.installer import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(CHECKOUT))
