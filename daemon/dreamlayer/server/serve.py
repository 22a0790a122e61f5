"""The daemon's life: become the only one, listen, tell where, serve, withdraw."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from dreamlayer.models import shelf
from dreamlayer.server import access, settings
from dreamlayer.server.router import Router
from dreamlink import VERSION, discovery
from dreamlink.discovery import DaemonInfo
from dreamlink.messages import PROTOCOL

if TYPE_CHECKING:
    from dreamlayer.studio import Studio

log = logging.getLogger(__name__)


def real_studio() -> Studio:
    """What dreams; imports torch, so only the compute thread may call it."""
    # torch's threads wait for each other by spinning. Beside a busy host, which is the rule here,
    # that makes a dream several times slower; asleep they cost nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from dreamlayer.studio import Studio

    return Studio()


def serve(studio_factory: Callable[[], Studio] = real_studio) -> None:
    """Run the daemon until it is asked to stop, by message or by signal.

    Raises:
        AlreadyRunning: this user's daemon runs; the text says where.
        OSError: Dreamlayer's folder can't be written.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    lock = access.claim()
    loaded = settings.load()
    for problem in loaded.problems:
        log.warning("a setting is left out: %s", problem)
    shelf.keep_in(discovery.home() / "models")
    token = access.new_token()
    router = Router(token, studio_factory, _log_place(), loaded.settings)
    previous = signal.set_wakeup_fd(router.channel.waker_fileno(), warn_on_full_buffer=False)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: router.stop())
    pid = os.getpid()
    try:
        discovery.publish(DaemonInfo(PROTOCOL, VERSION, router.endpoint, token, pid))
        log.info("Dreamlayer %s listens on %s, process %d", VERSION, router.endpoint, pid)
        # New clients start a new daemon, which waits until this one lets go of the lock.
        router.run(on_stop=lambda: discovery.withdraw(pid))
    finally:
        discovery.withdraw(pid)
        signal.set_wakeup_fd(previous)
        ended = router.close()
        log.info("stopped")
        lock.release()
    if not ended:
        # The compute thread is deep in torch. Python would wait for it or crash in it.
        os._exit(0)


def _log_place() -> str:
    """Where a user finds what this process logs, in words."""
    path = discovery.home() / discovery.LOG_FILE
    try:
        if os.path.samestat(os.fstat(sys.stderr.fileno()), path.stat()):
            return str(path)
    except (OSError, ValueError):
        pass
    return "the output of `dreamlayer serve`"
