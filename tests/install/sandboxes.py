"""Stand-ins for Krita's Flatpak and Snap: bubblewrap, which Flatpak itself uses, with their rules.

In a Flatpak with the permissions of Krita's and GIMP's (`share=network`, `filesystem=host`) the
home is the user's; in a Snap its hidden folders aren't there. Neither sees the system's processes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.install.user_session import UserSession

PYTHON = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
INFO = """
[Application]
name=org.kde.krita
[Context]
shared=network;ipc;
filesystems=host;
"""


def flatpak(
    session: UserSession,
    argv: Sequence[str],
    *options: str,
    root: Path = Path("/"),
    **variables: str,
) -> list[str]:
    """The command that runs a program in the session, in Krita's Flatpak.

    `root` has the system's folders, of which the Flatpak has its own; `options` are bubblewrap's.
    """
    home = session.environ["HOME"]
    info = Path(home).parent / "flatpak-info"
    info.write_text(INFO)
    box = Path(home, ".var", "app", "org.kde.krita")
    binds = ["--bind", home, home, "--ro-bind", str(info), "/.flatpak-info"]
    own = {
        "FLATPAK_ID": box.name,
        "XDG_DATA_HOME": str(box / "data"),
        "XDG_CONFIG_HOME": str(box / "config"),
    }
    return session.command(_sandbox([*binds, *options], argv, root), **own, **variables)


def snap(session: UserSession, argv: Sequence[str]) -> list[str]:
    """The command that runs a program in the session, in Krita's Snap."""
    home = session.environ["HOME"]
    folder = Path(home, "snap", "krita")
    binds = ["--bind", str(folder), str(folder)]  # and nothing of the hidden folders
    variables = {
        "SNAP_NAME": "krita",
        "SNAP_REAL_HOME": home,
        "SNAP_USER_COMMON": str(folder / "common"),
        "HOME": str(folder / "current"),
    }
    return session.command(_sandbox(binds, argv, Path("/")), **variables)


def _sandbox(binds: Sequence[str], argv: Sequence[str], root: Path) -> list[str]:
    private = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent"]
    system = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]
    for name in ("usr", "etc", "var"):
        system += ["--ro-bind", str(root / name), f"/{name}"]
    for name in ("lib", "lib64", "bin", "sbin"):
        if (root / name).is_symlink():
            system += ["--symlink", f"usr/{name}", f"/{name}"]
    if not PYTHON.is_relative_to("/usr"):
        system += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    return ["bwrap", *private, *system, *binds, "--chdir", "/", "--", *argv]
