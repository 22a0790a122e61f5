"""Windows: a value of the registry's key `Run`, whose programs are started at login."""

from __future__ import annotations

import importlib
import subprocess
from typing import Any

from install.errors import InstallError
from install.login.choice import StartPlan

LENGTH_MAX = 260  # characters that Windows takes of such a value
RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
NAME = "Dreamlayer"


def arrange(plan: StartPlan, registry: Any = None) -> str:
    """Write or remove the value; returns what the user gets, "" if only the usual.

    `registry` has the functions of winreg.

    Raises:
        InstallError: the command is too long for Windows.
        OSError: the registry can't be written.
    """
    registry = registry or _winreg()
    if not plan.at_login:
        return "The daemon is no longer started at login" if remove(registry) else ""
    if len(command(plan)) > LENGTH_MAX:
        raise InstallError(
            f"The daemon can't be started at login, as Windows takes {LENGTH_MAX} characters for"
            f" that, and {plan.python} is too long: set DREAMLAYER_HOME to a folder with a shorter"
            " path, then run install.py again."
        )
    with registry.CreateKey(registry.HKEY_CURRENT_USER, RUN) as key:
        registry.SetValueEx(key, NAME, 0, registry.REG_SZ, command(plan))
    return "The daemon starts at each login"


def remove(registry: Any = None) -> bool:
    """Remove the value; returns whether there was one."""
    registry = registry or _winreg()
    if _stored(registry) is None:
        return False
    access = registry.KEY_SET_VALUE
    with registry.OpenKey(registry.HKEY_CURRENT_USER, RUN, 0, access) as key:
        registry.DeleteValue(key, NAME)
    return True


def state(plan: StartPlan, registry: Any = None) -> tuple[bool, str]:
    """Whether the value is there as it should be, and a sentence about it."""
    if _stored(registry or _winreg()) == command(plan):
        return True, "at login, by the registry's key Run"
    return False, "the registry's key Run does not start the daemon: run install.py again."


def command(plan: StartPlan) -> str:
    """The command line: that of a Python without a console, so that no window appears.

    DREAMLAYER_HOME is not in it: the login knows the user's own variables, and one that is set in
    a terminal only reaches no plug-in either.
    """
    return subprocess.list2cmdline([str(plan.python.with_name("pythonw.exe")), *plan.arguments])


def _stored(registry: Any) -> str | None:
    try:
        with registry.OpenKey(registry.HKEY_CURRENT_USER, RUN) as key:
            return str(registry.QueryValueEx(key, NAME)[0])
    except OSError:  # there is no such key or value
        return None


def _winreg() -> Any:
    return importlib.import_module("winreg")
