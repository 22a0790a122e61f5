"""The fuzzer's attack on the client, as a daemon that went mad: the real client, over sockets.

Greetings, commands and unreadable headers end a connection each, with LinkError and nothing else.
Answers that are readable but make no sense fail the dream that they are for, and only that; the
connection goes on, and a healthy dream on it ends as it should.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import socket
import struct
import time
from collections.abc import Mapping
from random import Random
from typing import Any

from dreamlink.client.client import Client, LinkError
from dreamlink.client.discovery import DaemonInfo
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire import proof
from dreamlink.wire.messages import PROTOCOL, DreamRequest, Frame, pack
from tests.fuzz import answers, handshakes, wire
from tests.fuzz.growth import Holdings, leak
from tests.fuzz.reports import Run

PATIENCE = 20.0  # seconds; what takes longer hangs
CONNECTIONS = 40  # a round's, of which nothing comes
ANSWERS = 200  # a round's, on one connection
WARM_UP = 0.1
LEAST_WARM_UP = 4000
ABORT = struct.pack("ii", 1, 0)  # closes without waiting, so that no port stays in use
HELLO = [pack({**answers.HELLO, "id": "h"})]
WELCOMED = wire.greeting(server=True) + handshakes.WELCOME + handshakes.READY
PICTURE = Picture(2, 2, "U8", "RGB")
RECIPE = Recipe.of({})


def attack(run: Run) -> None:
    """Throw cases at clients until the run is over; raises Failed."""
    log = logging.getLogger("dreamlink")
    level = log.level
    log.setLevel(logging.ERROR)  # thousands have no proof
    try:
        _attack(run)
    finally:
        log.setLevel(level)


def _attack(run: Run) -> None:
    pid = os.getpid()
    warm_up = max(LEAST_WARM_UP, run.cases * WARM_UP)
    with socket.create_server(("127.0.0.1", 0)) as server:
        fed = _fed_by(server)
        while run.another():
            for _ in range(CONNECTIONS):
                _stranger(server, fed, run)
            _answers(server, fed, run)
            if run.before is None and run.number - run.first > warm_up:
                run.before = _holdings(pid)
        if run.before is not None:
            run.after = _holdings(pid)
            grown = leak(run.before, run.after)
            if grown:
                raise run.fail("client", str(run.after), f"the client has grown: {grown}")


def _holdings(pid: int) -> Holdings:
    gc.collect()
    return Holdings.of(pid)


def _fed_by(server: socket.socket) -> type[Client]:
    """Clients that find waiting for them what `far_data` says; `far` is the other end."""

    class Fed(Client):
        far: socket.socket
        far_data = b""
        far_hangs_up = False

        def __init__(self, info: DaemonInfo, timeout: float = PATIENCE) -> None:
            super().__init__(info, timeout)
            Fed.far, _address = server.accept()
            Fed.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            shown = proof.daemon_proof(info.token, info.endpoint, self._nonce)
            Fed.far.sendall(self.far_data.replace(answers.PROOF.encode(), shown.encode()))
            if self.far_hangs_up:
                Fed.far.shutdown(socket.SHUT_WR)

    return Fed


def _info(server: socket.socket) -> DaemonInfo:
    return DaemonInfo(PROTOCOL, "0", f"tcp://127.0.0.1:{server.getsockname()[1]}", "token", 1)


def _beginning(dice: Random) -> tuple[str, bytes]:
    """What a mad daemon says first, and what kind of madness it is."""
    kind = dice.choice(("greeting", "command", "header", "header"))
    if kind == "greeting":
        return kind, handshakes.greeting(dice)
    if kind == "command":
        return kind, wire.greeting(server=True) + handshakes.server_commands(dice)
    if dice.random() < 0.5:
        return kind, WELCOMED + wire.message(answers.hello(dice))
    return kind, WELCOMED + wire.message(HELLO) + wire.message(answers.unreadable(dice))


def _stranger(server: socket.socket, fed: Any, run: Run) -> None:
    """A connection of which nothing comes but LinkError, at once."""
    dice = run.next()
    kind, data = _beginning(dice)
    fed.far_hangs_up = dice.random() < 0.1
    fed.far_data = data[: dice.randrange(len(data))] if fed.far_hangs_up else data
    began = time.monotonic()
    try:
        with contextlib.closing(fed.connect(_info(server), PATIENCE)) as client:
            message = client.receive(PATIENCE)
        raise run.fail(kind, data, f"taken for {message}")
    except LinkError as error:
        if not str(error).endswith(".") or time.monotonic() - began > PATIENCE / 2:
            raise run.fail(kind, data, f"not refused, but: {error}") from error
        run.note(kind, type(error).__name__)
    except Exception as error:
        raise run.fail(kind, data, f"{type(error).__name__} in the client") from error
    finally:
        fed.far.close()


class Mute:
    """A dream's connection to a daemon that needs no request to answer."""

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        """Nothing is listening."""


def _answers(server: socket.socket, fed: Any, run: Run) -> None:
    """Answers that make no sense, to many dreams on one connection, and a good one at the end."""
    fed.far_data, fed.far_hangs_up = WELCOMED + wire.message(HELLO), False
    cases = []
    for _ in range(ANSWERS):
        dice = run.next()
        kind = dice.choice(("header", "geometry"))
        header, frames = (answers.header if kind == "header" else answers.geometry)(dice)
        cases.append((kind, _dream(), header, frames))
    good = _dream()
    cases.append(("healthy", good, answers.done(), [bytes(answers.ANSWER_SIZE)]))
    with contextlib.closing(fed.connect(_info(server), PATIENCE)) as client, fed.far:
        fed.far.sendall(
            b"".join(
                wire.message([pack({**header, "id": dream.request.id}), *frames])
                for _kind, dream, header, frames in cases
            )
        )
        for kind, dream, header, frames in cases:
            try:
                message = client.receive(PATIENCE)
                if message is None:
                    raise run.fail(kind, (header, frames), "never came")
                dream.receive(*message)
            except LinkError as error:
                raise run.fail(kind, (header, frames), f"ended the connection: {error}") from error
            except Exception as error:
                raise run.fail(kind, (header, frames), f"{type(error).__name__}") from error
            if dream is good:
                if dream.state is not State.DONE:
                    raise run.fail(kind, header, f"not done: {dream.text}")
            elif dream.state is not State.FAILED or not dream.text.strip():
                raise run.fail(kind, (header, frames), f"taken: {dream.state}")
            else:
                run.note(kind, "dream failed, told why")


def _dream() -> Dream:
    request = DreamRequest(RECIPE, PICTURE, PICTURE.region)
    return Dream(Mute(), request, bytes(answers.ANSWER_SIZE))
