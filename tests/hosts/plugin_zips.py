"""The plug-ins' zips as people download them, with a stand-in for the installer in setup.zip.

The stand-in is quick, and does to the host what install.py does: it replaces the plug-in under it,
and then writes launcher.json. It fails once: as long as the file `offline` is in Dreamlayer's
folder. In that folder the session's launcher.json waits under the name `launcher.kept`.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import msgpack

from install.archives import contents, packing, sources
from install.archives.packing import Files, PackedFile
from tests.hosts.session import CHECKOUT, HostSession

OFFLINE = "The package index can't be reached: go online, then run install.py again."
STAND_IN = f"""#!/bin/sh
echo "A stand-in for the installer $*"
echo "No graphics card found: PyTorch for the processor, about 0.3 GB to download"
sleep 1
if [ -e ../offline ]; then
    echo "{OFFLINE}" >&2
    exit 1
fi
for part in numpy torch torchvision; do
    echo "Downloading $part-1.2.3+cpu-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"
    sleep 0.8
done
python3 - <<'END' || exit 1
import sys
from pathlib import Path
sys.path.insert(0, "{CHECKOUT}")
from install.hosts import copying
copying.install_HOST(Path("{CHECKOUT}"), Path("FOLDER"), Path("MSGPACK"))
END
cp ../launcher.kept ../launcher.json
echo "Dreamlayer is installed."
"""


def krita(host: HostSession) -> bytes:
    """The zip for Krita's importer; its stand-in replaces the plug-in of this session."""
    lib = host.krita_data / "pykrita" / "dreamlayer_krita" / "lib"
    return _zip(contents.krita(_ingredients(), _setup("krita", host.krita_data, lib)))


def gimp(host: HostSession) -> Files:
    """The files of GIMP's zip; like `krita`."""
    plugin = host.gimp_profile / "plug-ins" / "dreamlayer-gimp"
    return contents.gimp(_ingredients(), _setup("gimp", host.gimp_profile, plugin))


def _setup(which: str, folder: Path, libraries: Path) -> bytes:
    script = (
        STAND_IN.replace("HOST", which)
        .replace("FOLDER", str(folder))
        .replace("MSGPACK", str(libraries / "dreamlink" / "_vendor" / "msgpack"))
    )
    return _zip({"install.sh": PackedFile(script.encode(), is_program=True)})


def _ingredients() -> contents.Ingredients:
    package = Path(msgpack.__file__).parent
    files = {f"msgpack/{path.name}": PackedFile(path.read_bytes()) for path in package.glob("*.py")}
    for path in importlib.metadata.files("msgpack") or []:
        if path.name == "COPYING":
            files[path.as_posix()] = PackedFile(path.read_binary())
    found = sources.read(CHECKOUT, dirty=True)
    return contents.Ingredients(found, files, PackedFile(b"{}"))


def _zip(files: Files) -> bytes:
    return packing.zip_of(files, 1_700_000_000)
