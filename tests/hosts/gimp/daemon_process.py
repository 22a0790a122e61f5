"""The daemon as a process: killed, or not to be started."""

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

HOME = Path(os.environ["DREAMLAYER_HOME"])


def daemon_pid():
    return json.loads((HOME / "daemon.json").read_text())["pid"]


def signal_daemon(name):
    """Send a signal to the daemon, if one runs."""
    if (HOME / "daemon.json").exists():
        subprocess.run(["kill", f"-{name}", str(daemon_pid())], check=False)


def kill_daemon():
    signal_daemon("KILL")


def unread():
    """How many bytes have been sent to the daemon that it has not read, e.g. while it is held."""
    endpoint = json.loads((HOME / "daemon.json").read_text())["endpoint"]
    port = f":{int(endpoint.rpartition(':')[2]):04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[4].partition(":")[2], 16) for row in rows if row[1].endswith(port))


@contextmanager
def launcher(text):
    """With another launcher.json, or none, and no daemon running."""
    path = HOME / "launcher.json"
    kept = path.read_text()
    kill_daemon()
    path.unlink()
    if text:
        path.write_text(text)
    try:
        yield json.loads(kept)["command"]
    finally:
        kill_daemon()
        path.write_text(kept)
