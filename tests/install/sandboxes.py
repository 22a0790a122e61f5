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


def flatpak(session: UserSession, argv: Sequence[str]) -> list[str]:
    """The command that runs a program in the session, in Krita's Flatpak."""
    home = session.environ["HOME"]
    info = Path(home).parent / "flatpak-info"
    info.write_text(INFO)
    box = Path(home, ".var", "app", "org.kde.krita")
    options = ["--bind", home, home, "--ro-bind", str(info), "/.flatpak-info"]
    variables = {
        "FLATPAK_ID": box.name,
        "XDG_DATA_HOME": str(box / "data"),
        "XDG_CONFIG_HOME": str(box / "config"),
    }
    return session.command(_sandbox(options, argv), **variables)


def snap(session: UserSession, argv: Sequence[str]) -> list[str]:
    """The command that runs a program in the session, in Krita's Snap."""
    home = session.environ["HOME"]
    folder = Path(home, "snap", "krita")
    options = ["--bind", str(folder), str(folder)]  # and nothing of the hidden folders
    variables = {
        "SNAP_NAME": "krita",
        "SNAP_REAL_HOME": home,
        "SNAP_USER_COMMON": str(folder / "common"),
        "HOME": str(folder / "current"),
    }
    return session.command(_sandbox(options, argv), **variables)


def _sandbox(options: Sequence[str], argv: Sequence[str]) -> list[str]:
    prefix = (
        [] if PYTHON.is_relative_to("/usr") else ["--ro-bind", sys.base_prefix, sys.base_prefix]
    )
    links = [
        word
        for name in ("lib", "lib64", "bin")
        for word in (
            ("--symlink", f"usr/{name}", f"/{name}") if Path("/", name).is_symlink() else ()
        )
    ]
    private = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent"]
    system = ["--proc", "/proc", "--dev", "/dev", "--ro-bind", "/usr", "/usr", "--tmpfs", "/tmp"]
    passwd = ["--ro-bind", "/etc/passwd", "/etc/passwd", "--chdir", "/"]
    return ["bwrap", *private, *system, *links, *prefix, *passwd, *options, "--", *argv]
