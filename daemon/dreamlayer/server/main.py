"""The daemon's life: become the only one, listen, tell where, serve, withdraw."""

from __future__ import annotations

import functools
import logging
import os
import signal
from collections.abc import Callable

from dreamlayer.networks.registry import user_store
from dreamlayer.server.config import settings
from dreamlayer.server.config.address import Address, remote_address
from dreamlayer.server.config.settings import MIB, Settings
from dreamlayer.server.lifecycle import logs, process, single_instance
from dreamlayer.server.lifecycle.discovery_file import Notice
from dreamlayer.server.remote.studio import RemoteStudio
from dreamlayer.server.router import Router
from dreamlayer.server.transport import keys
from dreamlayer.server.transport.auth import Listening
from dreamlayer.studio.protocol import Studio
from dreamlink import VERSION
from dreamlink.client import discovery
from dreamlink.client.discovery import DaemonInfo
from dreamlink.wire.messages import PROTOCOL

log = logging.getLogger(__name__)


def local_studio(chosen: Settings) -> Studio:
    """The studio on this computer; imports torch, so only the compute thread may call it."""
    from dreamlayer.studio.local import LocalStudio

    if chosen.priority == "low":
        process.step_back()
    return LocalStudio(
        idle=chosen.idle_unload,
        map_above=chosen.map_above,
        threads=chosen.threads,
        duty=chosen.duty,
    )


def remote_studio(chosen: Settings) -> Studio:
    """The studio on the computer that the setting `remote` names."""
    address, key = remote_address(chosen.remote)
    return RemoteStudio(address, key, keys.own() or keys.make(), chosen.message_max * MIB)


def serve(
    studio_factory: Callable[[], Studio] | None = None, listen: Address | None = None
) -> None:
    """Run the daemon until it is asked to stop, by message or by signal.

    `studio_factory` makes what dreams here: for tests. `listen`: where to listen to other
    computers, whose keys were allowed.

    Raises:
        AlreadyRunning: this user's daemon runs; the text says where.
        OSError: Dreamlayer's folder can't be written, or `listen` can't be listened on.
        KeysError: this computer's key is damaged.
    """
    process.settle()
    lock = single_instance.claim()
    loaded = settings.load()
    chosen = loaded.settings
    logs.start(chosen.log_size * MIB, chosen.log_files)
    for problem in loaded.problems:
        log.warning("a setting is left out: %s", problem)
    user_store.keep_in(discovery.home() / "models")
    process.more_descriptors()
    token = single_instance.new_token()
    logs.hide(token)
    factory = studio_factory or functools.partial(local_studio, chosen)
    if chosen.remote:
        factory = functools.partial(remote_studio, chosen)
    listening = None if listen is None else Listening(listen, keys.own() or keys.make())
    router = Router(token, factory, str(logs.path()), chosen, listening)
    previous = signal.set_wakeup_fd(router.channel.waker_fileno(), warn_on_full_buffer=False)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: router.stop())
    pid = os.getpid()
    notice = Notice(DaemonInfo(PROTOCOL, VERSION, router.endpoint, token, pid))
    try:
        notice.put_up()
        logs.event(log, "start", version=VERSION, endpoint=router.endpoint, process=pid)
        if listen is not None:
            logs.event(log, "listen", address=str(listen), allowed=len(keys.allowed()))
        # New clients start a new daemon, which waits until this one lets go of the lock.
        router.run(on_stop=notice.take_down, found=notice.keep_up)
    finally:
        notice.take_down()
        signal.set_wakeup_fd(previous)
        ended = router.close()
        logs.event(log, "stop", in_time=ended)
        lock.release()
    if not ended:
        # The compute thread is deep in torch. Python would wait for it or crash in it.
        os._exit(0)
