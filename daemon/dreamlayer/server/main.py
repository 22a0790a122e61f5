"""Starts the daemon: take the lock, listen, publish the address, serve, clean up."""

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
from dreamlayer.server.lifecycle.discovery_file import DiscoveryFile
from dreamlayer.server.remote.studio import RemoteStudio
from dreamlayer.server.router import Router
from dreamlayer.server.transport import keys
from dreamlayer.server.transport.remote_listener import RemoteListener
from dreamlayer.studio.protocol import Studio
from dreamlink import VERSION
from dreamlink.client import discovery, wish
from dreamlink.client.discovery import DaemonInfo
from dreamlink.wire.messages import PROTOCOL

log = logging.getLogger(__name__)


def local_studio(chosen: Settings) -> Studio:
    """The studio on this computer; imports torch, so only the compute thread may call it."""
    from dreamlayer.studio.local import LocalStudio

    if chosen.priority == "low":
        process.lower_priority()
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

    Args:
        studio_factory: makes the local studio; tests pass their own.
        listen: the address at which other computers, whose keys are allowed, may connect.

    Raises:
        AlreadyRunning: this user's daemon is running; the text has its process number.
        OSError: Dreamlayer's folder can't be written, or the address can't be listened on.
        KeysError: this computer's key is damaged.
    """
    process.configure()
    lock = single_instance.claim()
    loaded = settings.load()
    chosen = loaded.settings
    logs.start(chosen.log_size * MIB, chosen.log_files)
    for problem in loaded.problems:
        log.warning("a setting is ignored: %s", problem)
    user_store.keep_in(discovery.home() / "models")
    process.raise_descriptor_limit()
    token = single_instance.new_token()
    logs.hide(token)
    factory = studio_factory or functools.partial(local_studio, chosen)
    if chosen.remote:
        factory = functools.partial(remote_studio, chosen)
    listening = None if listen is None else RemoteListener(listen, keys.own() or keys.make())
    router = Router(token, factory, str(logs.path()), chosen, listening)
    previous = signal.set_wakeup_fd(router.mailbox.waker_fileno(), warn_on_full_buffer=False)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: router.stop())
    pid = os.getpid()
    discovery_file = DiscoveryFile(DaemonInfo(PROTOCOL, VERSION, router.endpoint, token, pid))
    try:
        discovery_file.write()
        wish.fulfil()
        logs.event(log, "start", version=VERSION, endpoint=router.endpoint, process=pid)
        if listen is not None:
            logs.event(log, "listen", address=str(listen), allowed=len(keys.allowed()))
        # From on_stop on, new clients start a new daemon, which waits for this one's lock.
        router.run(on_stop=discovery_file.remove, discoverable=discovery_file.keep)
    finally:
        discovery_file.remove()
        signal.set_wakeup_fd(previous)
        ended = router.close()
        logs.event(log, "stop", in_time=ended)
        lock.release()
    if not ended:
        # The compute thread is inside torch: a normal exit would wait for it, or crash.
        os._exit(0)
