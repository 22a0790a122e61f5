"""A user's home in which both hosts were started before.

Krita and GIMP spend 10 to 20 seconds of their first start on databases of brushes, fonts and
plug-ins. Each test session begins with a copy of a home where that has happened already.
"""

import hashlib
import shutil
from pathlib import Path

from install.roots import Log, locked
from tests.hosts.session import HostSession

SCRIPT = """
import case


def run(document):
    yield 2000  # Krita writes some of its settings only after its window is there


case.verdict(started=True)
"""


def ensure(suite: str, root: Path, log: Log = print) -> Path:
    """The home that belongs to a root, made on the first call and kept beside it."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    template = root.with_name(f"{root.name}-home-{recipe}")
    with locked(root.with_suffix(".lock"), log):
        if not template.is_dir():
            _make(suite, root, template, log)
    return template


def _make(suite: str, root: Path, template: Path, log: Log) -> None:
    log(f"Starting Krita and GIMP of {suite} for the first time …")
    with HostSession(suite, root) as session:
        session.gimp_profile.mkdir(parents=True)
        # GIMP 3.0 would cover the picture with its greeting at every start
        (session.gimp_profile / "gimprc").write_text("(show-welcome-dialog no)\n", encoding="utf-8")
        script = session.folder / "first_start.py"
        script.write_text(SCRIPT, encoding="utf-8")
        for start in (session.run_krita, session.run_gimp_console, session.run_gimp):
            start(script).facts()
        _maximize(session.gimp_profile / "sessionrc")
        unfinished = template.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(session.home, unfinished, symlinks=True)
    unfinished.rename(template)


def _maximize(sessionrc: Path) -> None:
    """Let GIMP's window fill the screen; it does not leave that to the window manager."""
    text = sessionrc.read_text(encoding="utf-8")
    sessionrc.write_text(text.replace('(maximized "no")', '(maximized "yes")'), encoding="utf-8")
