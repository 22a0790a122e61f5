"""What a test script uses inside a host: its picture, its arguments, its verdict, its screen.

Runs in the Python of Krita or GIMP, so standard library only.

    import case
    case.picture                       path of a copy of the picture, or None
    case.arguments["layer"]            the keyword arguments of run_krita, run_gimp …
    case.verdict(layers=3)             facts for the test outside, written at once
    case.screenshot("docker")          the whole screen, as build/screenshots/SUITE-HOST-docker.png,
                                       when the host had time to paint: Krita while `run` yields,
                                       GIMP while the script sleeps
    case.xdotool("key", "ctrl+z")      keys and clicks; needs the windows of run_krita or run_gimp
    case.on_window("Deep Dream", "Return", screenshot="dialog")
                                       the same in the background, for dialogs that block the script
"""

import faulthandler
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_case = json.loads(Path(os.environ["DREAMLAYER_TEST_CASE"]).read_text(encoding="utf-8"))
script: str = _case["script"]
picture: "str | None" = _case["picture"]
sys.path.insert(0, str(Path(script).parent))
arguments: "dict[str, Any]" = _case["arguments"]
_facts: "dict[str, Any]" = {}


def remaining() -> float:
    """Seconds until the run is ended by force."""
    return float(_case["end"]) - time.time()


faulthandler.enable()  # a crash or a hang in the host shows which Python line led to it
faulthandler.dump_traceback_later(max(remaining() - 2, 0.1))


def verdict(**facts: Any) -> None:
    """Add facts (JSON values) to the verdict; what was told before a crash is kept."""
    _facts.update(facts)
    Path(_case["verdict"]).write_text(json.dumps(_facts), encoding="utf-8")


def screenshot(name: str) -> str:
    """Take a picture of the whole screen and return its path."""
    path = _screenshot_path(name)
    subprocess.run(["import", "-window", "root", path], check=True)
    return path


def xdotool(*words: str) -> str:
    """Run xdotool and return what it says; raises CalledProcessError where it fails."""
    done = subprocess.run(["xdotool", *words], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def on_window(title: str, *keys: str, screenshot: str = "", delay: float = 1.0) -> None:
    """As soon as a window whose title matches is there: a screenshot if named, then the keys.

    title: a regular expression. keys: as xdotool names them ("Return", "ctrl+z"). delay: seconds
    before the screenshot and before each key, for the window to be painted and to react.
    """
    lines = [
        f"xdotool search --sync --onlyvisible --name {shlex.quote(title)} windowactivate",
        f"sleep {delay}",
    ]
    if screenshot:
        lines.append(f"import -window root {shlex.quote(_screenshot_path(screenshot))}")
    for key in keys:
        lines += [f"xdotool key {shlex.quote(key)}", f"sleep {delay}"]
    subprocess.Popen(["sh", "-ec", "\n".join(lines)], stdout=sys.stderr)


def _screenshot_path(name: str) -> str:
    return str(Path(_case["screenshots"]) / f"{_case['prefix']}-{name}.png")
