"""What install.py does for the daemon's start, and takes back: outside the sandboxes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.install.user_session import UserSession

CHECKOUT = Path(__file__).parents[2]
INSTALL = """
import sys
from install.login import setup
from install.own import Own
from install.hosts.places import Machine
own, machine = Own.of_this_user(), Machine()
own.make()
own.write_launcher()
problems = setup.arrange(own, machine, None)
good, sentence = setup.state(own, machine)
print(sentence)
sys.exit(" ".join(problems) or not good)
"""
REMOVE = """
from install.login import setup
from install.hosts.places import Machine
setup.remove(Machine())
"""


def outside(session: UserSession, code: str) -> str:
    """Run code of the installer in the session; returns what it printed."""
    paths = os.pathsep.join(str(CHECKOUT / path) for path in ("", "plugins/link", "daemon"))
    done = session.run(sys.executable, "-B", "-c", code, PYTHONPATH=paths)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
