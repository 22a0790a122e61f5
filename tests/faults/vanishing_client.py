"""A client that kills itself at a given stage: `vanishing_client.py STAGE ID`."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).parents[2]))

from dreamlink.client import discovery
from dreamlink.client.client import Client
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import DreamRequest
from tests.fuzz import wire

LARGE = 3000  # pixels; a result that no socket takes at once


def main(stage: str, name: str) -> NoReturn:
    info = discovery.find()
    assert info is not None
    if stage in ("connected", "greeting", "hello"):
        host, _, port = info.endpoint.removeprefix("tcp://").rpartition(":")
        connection = socket.create_connection((host, int(port)))
        if stage != "connected":
            connection.sendall(wire.greeting()[:40])
        if stage == "hello":
            connection.sendall(wire.greeting()[40:])
            connection.recv(wire.GREETING_SIZE, socket.MSG_WAITALL)
            connection.sendall(wire.hello(b"dreamlayer", info.token.encode()))
    else:
        _greeted(Client.connect(info), stage, name)
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    raise SystemExit("killed, but alive")


def _greeted(client: Client, stage: str, name: str) -> None:
    side = LARGE if stage == "result" else 16
    picture = Picture(side, side, "U8", "RGB")
    tiles = "1" if stage in ("result", "blend") else "20" if stage == "keep" else "500"
    keep = stage == "keep"
    request = DreamRequest(
        Recipe.of({"channels": tiles}), picture, picture.region, id=name, keep=keep
    )
    if stage in ("announced", "half"):
        client.send({**request.header(), "frames": [picture.nbytes]})
        if stage == "half":
            _raw(client, [b"", bytes(picture.nbytes // 2)])
    elif stage != "introduced":
        dream = Dream(client, request, bytes(range(256)) * (picture.nbytes // 256))
        _await(client, dream, stage)
        if stage == "blend":
            dream.blend(Recipe.of({**dream.report["recipe"], "feather": 50.0}))
    while client.wants_to_write:
        client.flush()


def _raw(client: Client, frames: list[bytes]) -> None:
    connection = socket.socket(fileno=os.dup(client.fileno()))
    connection.setblocking(True)
    connection.sendall(wire.message(frames))


def _await(client: Client, dream: Dream, stage: str) -> None:
    if stage == "result":
        time.sleep(1.0)  # the result stands before this client's door
        return
    wanted = {"queued": State.WAITING, "blend": State.DONE}.get(stage, State.RUNNING)
    while True:
        message = client.receive(10.0)
        assert message is not None
        dream.receive(*message)
        if dream.state is wanted:
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
