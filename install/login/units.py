"""The text of the two systemd units, `dreamlayer.service` and `dreamlayer.path`.

The service starts the daemon; the path unit starts the service when a wish appears. The service
removes the wishes first: as long as one is there, the path unit would start it again at its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from install.errors import InstallError
from install.login.choice import StartPlan

SERVICE = "dreamlayer.service"
PATH = "dreamlayer.path"
MARK = "# Written by Dreamlayer's install.py, which also removes it.\n"
UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, and no text at all
# A shell takes words as they are and runs them: systemd allows no quote or backslash in the path of
# a program. The current folder is one in which only the system's administrator can put anything,
# as when a client starts the daemon.
RUN = 'cd / && exec "$@"'
REMOVE = 'rm -f -- "$@"'


def service(plan: StartPlan) -> str:
    """The unit that starts the daemon. It is not started again, however it ends.

    Raises InstallError: a path has characters that no unit can have.
    """
    wishes = [str(wish) for wish in plan.wishes]
    variable = f"DREAMLAYER_HOME={plan.chosen_home}"
    words = [str(plan.python), *plan.arguments]
    check_words([*wishes, variable, *words])
    lines = [
        "[Unit]",
        "Description=Dreamlayer, which dreams for Krita and GIMP",
        # If a wish can't be removed, and the daemon does not start either.
        "StartLimitIntervalSec=60",
        "StartLimitBurst=5",
        "",
        "[Service]",
        *([f"Environment={_quoted(variable)}"] if plan.chosen_home else []),
        *([f"ExecStartPre=-{_shell(REMOVE, wishes)}"] if wishes else []),
        f"ExecStart={_shell(RUN, words)}",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return MARK + "\n".join(lines) + "\n"


def path(plan: StartPlan) -> str:
    """The unit that starts the service when a wish appears."""
    lines = [
        "[Unit]",
        "Description=Starts Dreamlayer for Krita or GIMP in a sandbox",
        "",
        "[Path]",
        *(f"PathExists={_escaped_path(wish)}" for wish in plan.wishes),
        f"Unit={SERVICE}",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return MARK + "\n".join(lines) + "\n"


def check_words(words: Sequence[str]) -> None:
    """Raise InstallError for a word that no unit and no desktop's entry can have."""
    for word in words:
        if UNWRITABLE.search(word):
            raise InstallError(
                "The daemon's start can't be set up, as this path has line breaks or other control"
                f" characters: {word!r:.200}. Set DREAMLAYER_HOME to another folder, then run"
                " install.py again."
            )


def _shell(script: str, words: Sequence[str]) -> str:
    """A command line that runs the shell's script with these words."""
    quoted = [_quoted(word).replace("$", "$$") for word in (script, "sh", *words)]
    return " ".join(["/bin/sh", "-c", *quoted])


def _quoted(word: str) -> str:
    """A word in quotes, without specifiers (%) and escapes."""
    for special, meant in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        word = word.replace(special, meant)
    return f'"{word}"'


def _escaped_path(wish: Path) -> str:
    """A path for PathExists=, which knows specifiers, but neither quotes nor escapes."""
    return str(wish).replace("%", "%%")
