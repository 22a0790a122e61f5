"""What install.py leaves on a user's computer with Windows: an environment with Dreamlayer in it.

pip does not run for it: fetching and building are the same on every system, and take minutes in
Wine. The environment is put where install.py would make it, with the mark that it is complete; so
install.py finds it and does all the rest.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.kernels.builds import CHECKOUT
from tests.windows.stand_in import unpack
from tests.windows.wine import Windows, windows_path


def make_environment(windows: Windows, stand_in: Path, wheel: Path) -> None:
    """Put the environment into the user's folder of Dreamlayer."""
    folder = windows.dreamlayer / "env"
    python, packages = stand_in / "python", folder / "Lib" / "site-packages"
    # Links to the same files: half a gigabyte need not be copied.
    shutil.copytree(stand_in / "packages", packages, copy_function=os.link)
    unpack(wheel, packages)
    scripts = folder / "Scripts"
    scripts.mkdir()
    for name in ("python.exe", "python311.dll", "python3.dll"):
        shutil.copy(python / name, scripts / name)  # no link: a running program can't be removed
    settings = f"home = {windows_path(python)}\ninclude-system-site-packages = false\n"
    (folder / "pyvenv.cfg").write_text(settings, encoding="utf-8")
    mark = windows.python(r"tests\windows\inside\mark_complete.py", windows_path(CHECKOUT))
    assert mark.status == 0, mark.output


def make_hosts(windows: Windows) -> None:
    """The folders of Krita and GIMP, as if each had been started once."""
    roaming = windows.profile / "AppData" / "Roaming"
    (roaming / "krita").mkdir()
    (roaming / "GIMP" / "3.0").mkdir(parents=True)
    windows.kritarc.write_text("[theme]\nTheme=Krita dark\n", encoding="utf-8")
