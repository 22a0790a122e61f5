"""The desktop's autostart entry, for Linux without systemd."""

from __future__ import annotations

from install.errors import InstallError
from install.login.choice import StartPlan
from install.login.units import MARK, check_words

NAME = "dreamlayer.desktop"


def text(plan: StartPlan) -> str:
    """The entry that starts the daemon at login; raises InstallError for a path it can't have."""
    variables = [f"DREAMLAYER_HOME={plan.chosen_home}"] if plan.chosen_home else []
    # env also because GLib wants the program itself without %.
    words = ["env", *variables, str(plan.python), *plan.arguments]
    check_words(words)
    if "=" in str(plan.python):  # which env would take for a variable
        raise InstallError(
            f"The daemon can't be started at login, as {plan.python} has an equals sign: set"
            " DREAMLAYER_HOME to another folder, then run install.py again."
        )
    lines = [
        "[Desktop Entry]",
        "Type=Application",
        "Name=Dreamlayer",
        "Comment=Dreams for Krita and GIMP",
        f"Exec={' '.join(map(_quoted, words))}",
        "Path=/",  # in which only the system's administrator can put anything
        "Terminal=false",
        "NoDisplay=true",
    ]
    return MARK + "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    """A word of Exec=: in quotes, without field codes (%), and escaped twice.

    The quotes have escapes of their own, and Exec= is a string, whose backslashes are doubled.
    """
    for special in ("\\", '"', "`", "$"):
        word = word.replace(special, "\\" + special)
    return '"' + word.replace("\\", "\\\\").replace("%", "%%") + '"'
