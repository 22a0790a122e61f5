"""Dreaming on another computer: two daemons here, one of which asks the other."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from dreamlayer.cli.main import main
from dreamlayer.server.transport import keys
from dreamlink.client.client import Client
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.looks import LookAnswer, LooksRequest
from dreamlink.wire.messages import PROTOCOL, DreamRequest, new_id, pack, unpack
from dreamlink.wire.seeing import Seen, SeeRequest
from tests.server.daemons import SOON, Daemon, ask, finish, receive, start_dream, wait_until
from tests.server.fake_daemon import SEES_LONG, SEES_NOTHING

LISTENING = [sys.executable, "-m", "tests.server.listening_daemon"]
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Computers:
    """Two computers: `there` dreams, `here` asks it to. Each has a folder and a daemon."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there, self.here = folder / "there", folder / "here"
        self.address = f"127.0.0.1:{free_port()}"
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("DREAMLAYER_GRACE", "0.2")
        self.daemons: list[Daemon] = []
        self.at(self.there)
        self.key = keys.make().public.hex()
        self.at(self.here)
        self.own_key = keys.make().public.hex()
        assert main(["settings", "remote", f"{self.address}/{self.key}"]) == 0

    def at(self, home: Path) -> None:
        """Sit down at a computer."""
        self._monkeypatch.setenv("DREAMLAYER_HOME", str(home))

    def allow(self) -> None:
        self.at(self.there)
        assert main(["keys", "allow", "painter", self.own_key]) == 0
        self.at(self.here)

    def start(self, home: Path) -> Daemon:
        self.at(home)
        self._monkeypatch.setenv(
            "PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        )
        if home == self.there:
            daemon = Daemon(home, self.address, program=LISTENING)
        else:
            daemon = Daemon(home)
        self.at(self.here)
        self.daemons.append(daemon)
        return daemon

    def connect(self, home: Path) -> Client:
        self.at(home)
        daemon = next(d for d in reversed(self.daemons) if d.home == home)
        client = daemon.connect()
        self.at(self.here)
        return client


@pytest.fixture
def computers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Computers]:
    both = Computers(tmp_path, monkeypatch)
    yield both
    for daemon in both.daemons:
        daemon.kill()


@pytest.fixture
def connected(computers: Computers) -> Iterator[tuple[Computers, Client]]:
    """Both daemons, the one here allowed there, and a client here."""
    computers.allow()
    computers.start(computers.there)
    computers.start(computers.here)
    with contextlib.closing(computers.connect(computers.here)) as client:
        yield computers, client


def test_a_dream_is_computed_remotely_without_the_plug_in_knowing(
    connected: tuple[Computers, Client],
) -> None:
    computers, client = connected
    dream = start_dream(client, 20, side=700, preview=16, gain=True)  # 1.5 MB: several pieces
    finish(client, dream, lambda d: d.preview is not None)
    finish(client, dream)
    assert dream.state is State.DONE, dream.text
    assert dream.pixels == bytes([1]) * dream.request.result.nbytes
    assert dream.report["seed"] > 0
    assert dream.report["gain"] == 2.0
    assert computers.address in dream.report["device"]
    with contextlib.closing(computers.connect(computers.there)) as theirs:
        assert ask(theirs, "status")["done"] == 1
    assert computers.address in ask(client, "status")["device"]


def test_a_finished_dream_is_blended_remotely(connected: tuple[Computers, Client]) -> None:
    _computers, client = connected
    dream = start_dream(client, 1)
    finish(client, dream)
    recipe = Recipe.of(dream.report["recipe"])
    for values, state in ({"strength": 0.5}, State.DONE), ({"steps": 99}, State.FAILED):
        blend = dream.blend(replace(recipe, **values))
        while not blend.over:
            blend.receive(*receive(client))
        assert blend.state is state
    assert "steps" in blend.text
    last = dream.blend(replace(recipe, strength=0.5))
    while not last.over:
        last.receive(*receive(client))
    assert last.pixels == bytes([50]) * dream.request.result.nbytes


def test_a_quick_look_overtakes_a_long_dream_remotely(connected: tuple[Computers, Client]) -> None:
    _computers, client = connected
    long = start_dream(client, 800)
    finish(client, long, lambda d: "Octave" in d.text)
    quick = start_dream(client, 3, quick=True, preview=8)
    while not quick.over:
        message = receive(client)
        assert quick.receive(*message) or long.receive(*message)
    assert quick.state is State.DONE, quick.text
    assert not long.over


def test_live_pixels_come_from_the_other_computer(connected: tuple[Computers, Client]) -> None:
    _computers, client = connected
    dream = start_dream(client, 4, live=True)
    finish(client, dream)
    assert dream.state is State.DONE, dream.text
    assert dream.live is not None
    assert len(set(bytes(dream.live))) == 1


def test_frames_start_from_the_ones_before_remotely(connected: tuple[Computers, Client]) -> None:
    _computers, client = connected
    first = start_dream(client, 1)
    finish(client, first)
    following = start_dream(client, 1, after=first.request.id, carry=0.5)
    finish(client, following)
    assert following.notes == ["It went on from another."]
    alone = start_dream(client, 1, after=new_id(), carry=0.5)
    finish(client, alone)
    assert alone.state is State.DONE, alone.text
    assert len(alone.notes) == 1
    assert "no longer kept" in alone.notes[0]


def test_a_strength_map_and_a_zoom_reach_the_other_computer(
    connected: tuple[Computers, Client],
) -> None:
    _computers, client = connected
    strength = Picture(8, 8, "U8", "G")
    picture = Picture(8, 8, "U8", "RGB")
    recipe = Recipe.of({"channels": "1"})
    asked = DreamRequest(recipe, picture, picture.region, strength=strength, zoom=1.5, gain=True)
    dream = Dream(client, asked, bytes(192), bytes([255]) * 64)
    finish(client, dream)
    assert dream.notes == ["It was measured.", "Its strength has 64 bytes.", "It was enlarged."]


def test_cancel_reaches_the_other_computer(connected: tuple[Computers, Client]) -> None:
    computers, client = connected
    dream = start_dream(client, 800)
    finish(client, dream, lambda d: "Octave" in d.text)
    dream.cancel()
    finish(client, dream)
    assert dream.state is State.CANCELLED
    with contextlib.closing(computers.connect(computers.there)) as theirs:
        wait_until(lambda: ask(theirs, "status")["cancelled"] == 1)
        assert not ask(theirs, "status")["jobs"]


def test_a_disconnecting_client_cancels_its_dream_remotely(
    connected: tuple[Computers, Client],
) -> None:
    computers, client = connected
    dream = start_dream(client, 800)
    finish(client, dream, lambda d: "Octave" in d.text)
    client.close()
    with contextlib.closing(computers.connect(computers.there)) as theirs:
        wait_until(lambda: ask(theirs, "status")["cancelled"] == 1)


def test_a_refusal_of_the_other_computer_is_reported(connected: tuple[Computers, Client]) -> None:
    _computers, client = connected
    dream = start_dream(client, 901)
    finish(client, dream)
    assert dream.state is State.FAILED
    assert "only 512 channels" in dream.text


def test_layers_and_models_are_those_of_the_other_computer(
    connected: tuple[Computers, Client],
) -> None:
    _computers, client = connected
    listed = ask(client, "layers", model="fake")
    assert listed["layers"][0]["name"] == "features.0"
    assert listed["kinds"] == [{"name": "things", "examples": ["cup"]}]
    assert "no network 'other'" in ask(client, "layers", model="other")["text"]
    assert "squeezenet1_1" in [model["name"] for model in ask(client, "models")["models"]]


def test_the_other_computer_sees(connected: tuple[Computers, Client]) -> None:
    _computers, client = connected
    layout = Picture(8, 6, "U8", "RGB")
    for thumbnail in (b"", bytes([1, 2, 3])):
        request = SeeRequest(layout, layout.region, thumbnails=bool(thumbnail))
        client.send(request.header(), bytes([5]) * layout.nbytes)
        header, frames = receive(client)
        assert (header["op"], header["id"]) == ("seen", request.id)
        (row,) = Seen.of(header, frames).channels
        assert (row.address, row.thumbnail) == ("fake/features.5/7", thumbnail)
    long = SeeRequest(layout, layout.region, count=SEES_LONG)
    client.send(long.header(), bytes(layout.nbytes))
    client.send({"op": "cancel", "id": long.id})
    assert receive(client)[0]["op"] == "cancelled"
    refused = SeeRequest(layout, layout.region, count=SEES_NOTHING)
    client.send(refused.header(), bytes(layout.nbytes))
    assert receive(client)[0]["text"] == "The other computer says: Nothing is selected."


def test_the_other_computer_takes_looks(connected: tuple[Computers, Client]) -> None:
    _computers, client = connected
    layout = Picture(8, 6, "U8", "RGB")

    def start(*channels: int) -> LooksRequest:
        recipes = [Recipe.of({"layer": "3", "channels": str(number)}) for number in channels]
        request = LooksRequest.make(recipes, layout, layout.region)
        client.send(request.header(), bytes([5]) * layout.nbytes)
        return request

    request = start(1, 901)
    looks, text = [], ""
    while (answer := receive(client))[0]["op"] != "looked":
        if answer[0]["op"] == "look":
            looks.append(LookAnswer.of(answer[0], answer[1], 2))
            text = looks[-1].text or text
    assert answer[0]["id"] == request.id
    assert [look.picture for look in looks if look.index == 0] == [
        (layout, bytes([5]) * layout.nbytes)
    ] * 2
    assert text.startswith("The other computer says: This layer has only 512 channels")
    long = start(400)
    while receive(client)[0]["op"] != "queued":
        pass
    client.send({"op": "cancel", "id": long.id})
    assert receive(client)[0]["op"] == "cancelled"


def test_a_lost_computer_is_reported_and_reconnected_automatically(
    connected: tuple[Computers, Client],
) -> None:
    computers, client = connected
    dream = start_dream(client, 800)
    finish(client, dream, lambda d: "Octave" in d.text)
    computers.daemons[0].kill()
    finish(client, dream)
    assert dream.state is State.FAILED
    assert "lost" in dream.text
    assert computers.address in dream.text
    following = start_dream(client, 1)
    finish(client, following)
    assert following.state is State.FAILED
    assert "can't be reached" in following.text
    assert "dreamlayer settings remote default" in following.text
    computers.start(computers.there)
    following = start_dream(client, 1)
    finish(client, following)
    assert following.state is State.DONE, following.text


def test_a_stopping_remote_daemon_is_reported_and_asked_again(
    connected: tuple[Computers, Client],
) -> None:
    computers, client = connected
    finished = start_dream(client, 1)
    finish(client, finished)
    dream = start_dream(client, 800)
    finish(client, dream, lambda d: "Octave" in d.text)
    computers.daemons[0].process.send_signal(signal.SIGTERM)
    finish(client, dream)
    assert dream.state is State.FAILED
    assert "dream again" in dream.text or "lost" in dream.text
    computers.daemons[0].wait()
    computers.start(computers.there)
    blend = finished.blend(Recipe.of(finished.report["recipe"]))
    while not blend.over:
        blend.receive(*receive(client))
    assert blend.state is State.FAILED  # what was kept there went with it
    assert "dream again" in blend.text


def test_the_local_daemon_stops_at_once_during_a_remote_dream(
    connected: tuple[Computers, Client],
) -> None:
    computers, client = connected
    dream = start_dream(client, 800)
    finish(client, dream, lambda d: "Octave" in d.text)
    ask(client, "stop")
    finish(client, dream)
    assert dream.state is State.CANCELLED
    assert computers.daemons[1].wait() == 0


def test_a_computer_that_is_not_allowed_is_refused_with_a_remedy(
    computers: Computers, capsys: pytest.CaptureFixture[str]
) -> None:
    computers.start(computers.there)
    computers.start(computers.here)
    with contextlib.closing(computers.connect(computers.here)) as client:
        dream = start_dream(client, 1)
        finish(client, dream)
        assert dream.state is State.FAILED
        assert f"dreamlayer keys allow NAME {computers.own_key}" in dream.text
        with contextlib.closing(computers.connect(computers.there)) as theirs:
            assert ask(theirs, "status")["refused"]["key not allowed"] >= 1
        computers.allow()  # without starting anything anew
        following = start_dream(client, 1)
        finish(client, following)
        assert following.state is State.DONE, following.text


def test_a_removed_computer_is_refused(computers: Computers) -> None:
    computers.allow()
    computers.start(computers.there)
    computers.at(computers.there)
    assert main(["keys", "remove", "painter"]) == 0
    computers.start(computers.here)
    with contextlib.closing(computers.connect(computers.here)) as client:
        dream = start_dream(client, 1)
        finish(client, dream)
        assert "does not accept this computer's key" in dream.text


def test_another_server_at_the_address_is_not_trusted(computers: Computers) -> None:
    computers.allow()
    computers.at(computers.there)
    keys.make()  # another key than the setting remote says
    computers.start(computers.there)
    computers.start(computers.here)
    with contextlib.closing(computers.connect(computers.here)) as client:
        dream = start_dream(client, 1)
        finish(client, dream)
        assert dream.state is State.FAILED
        assert "has another key than the one" in dream.text


# The socket that listens to other computers.


def knock(address: str, **options: object) -> zmq.Socket[bytes]:
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    for name, value in options.items():
        setattr(socket, name, value)
    socket.connect(f"tcp://{address}")
    with contextlib.suppress(zmq.Again):  # sent away already: then there is nobody to send to
        hello = pack({"op": "hello", "id": "1", "protocol": PROTOCOL, "version": "0"})
        socket.send(hello, zmq.DONTWAIT)
    return socket


def test_neither_null_nor_the_token_authenticates_a_remote_client(
    connected: tuple[Computers, Client],
) -> None:
    computers, _client = connected
    computers.at(computers.there)
    token = computers.daemons[0].info.token
    with contextlib.closing(computers.connect(computers.there)) as theirs:
        for options in ({}, {"plain_username": b"dreamlayer", "plain_password": token.encode()}):
            before = refusals(theirs)
            with contextlib.closing(knock(computers.address, **options)) as stranger:
                wait_until(lambda before=before: refusals(theirs) > before)
                assert not stranger.poll(200)


def refusals(client: Client) -> int:
    """How many were refused. Of two libzmqs that disagree either may hang up first."""
    refused = ask(client, "status")["refused"]
    assert set(refused) <= {"without token or key", "unfinished handshake"}
    return sum(refused.values())


def test_another_computer_may_not_stop_the_daemon(connected: tuple[Computers, Client]) -> None:
    computers, _client = connected
    pair = keys.own()
    assert pair is not None
    options = {
        "curve_serverkey": bytes.fromhex(computers.key),
        "curve_publickey": pair.public,
        "curve_secretkey": pair.secret,
    }
    with contextlib.closing(knock(computers.address, **options)) as other:
        assert other.poll(SOON * 1000)
        assert unpack(other.recv())["op"] == "hello"
        other.send(pack({"op": "stop", "id": "2"}))
        answer = unpack(other.recv())
    assert "on its own computer" in answer["text"]
    assert computers.daemons[0].process.poll() is None


def test_an_address_of_another_computer_is_refused(home: Path) -> None:
    for address in ("192.0.2.1:1", "127.0.0.1:99999", "example.org", "nonsense:x"):
        ended = subprocess.run(
            [sys.executable, "-m", "dreamlayer", "serve", "--listen", address],
            capture_output=True, text=True, timeout=SOON, check=False,
        )  # fmt: skip
        assert ended.returncode == 1
        (sentence,) = ended.stderr.strip().splitlines()[-1:]
        assert sentence.startswith("dreamlayer: ")
        assert "unexpectedly" not in sentence
        assert not (home / "daemon.json").exists()


# Keys and addresses.


def test_key_files_are_private(home: Path) -> None:
    keys.make()
    keys.allow("friend", "ab" * 32)
    folder = home / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    (folder / "key.json").chmod(0o644)
    assert keys.own() is not None
    assert stat.S_IMODE((folder / "key.json").stat().st_mode) == 0o600


def test_the_commands_for_keys(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "show"]) == 0
    assert "dreamlayer keys make" in capsys.readouterr().out
    assert main(["keys", "make"]) == 0
    pair = keys.own()
    assert pair is not None
    shown = capsys.readouterr().out
    assert pair.public.hex() in shown
    assert pair.secret.hex() not in shown
    assert pair.secret.hex() not in repr(pair)
    assert main(["keys", "make"]) == 0
    assert keys.own() == pair
    assert main(["keys", "make", "--again"]) == 0
    assert keys.own() != pair
    capsys.readouterr()
    assert main(["keys", "allow", "studio-2", "AB" * 32]) == 0
    assert main(["keys", "list"]) == 0
    assert f"studio-2  {'ab' * 32}" in capsys.readouterr().out
    assert keys.name_of(b"\xab" * 32) == "studio-2"
    assert keys.name_of(b"\xac" * 32) is None
    assert main(["keys", "remove", "studio-2"]) == 0
    assert keys.allowed() == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["allow", "../x", "ab" * 32], "A name has"),
        (["allow", "", "ab" * 32], "A name has"),
        (["allow", "x" * 65, "ab" * 32], "A name has"),
        (["allow", "x", "ab" * 31], "64 hexadecimal digits"),
        (["allow", "x", "zz" * 32], "64 hexadecimal digits"),
        (["allow", "x", "ab" * 32 + "\n0"], "64 hexadecimal digits"),
        (["allow", "second", "cd" * 32], "under the name first"),
        (["remove", "nobody"], "Allowed computers: first"),
    ],
)
def test_an_invalid_key_is_refused_in_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    keys.allow("first", "cd" * 32)
    assert main(["keys", *words]) == 1
    assert said in capsys.readouterr().err
    assert keys.allowed() == {"first": b"\xcd" * 32}


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"public": 5}', '{"public": "ab", "secret": "cd"}']
)
def test_a_damaged_key_is_reported(home: Path, text: str) -> None:
    keys.make()
    (home / "keys" / "key.json").write_text(text)
    with pytest.raises(keys.KeysError):
        keys.own()
    (home / "keys" / "allowed.json").write_text('{"a": 1}')
    assert keys.name_of(bytes(32)) is None  # nobody comes in then
    with pytest.raises(keys.KeysError):
        keys.allow("b", "ab" * 32)  # and nothing is written over


def test_a_secret_key_that_does_not_match_the_public_one_is_damaged(home: Path) -> None:
    first, second = keys.make(), keys.make()
    text = f'{{"public": "{first.public.hex()}", "secret": "{second.secret.hex()}"}}'
    (home / "keys" / "key.json").write_text(text)
    with pytest.raises(keys.KeysError, match="damaged"):
        keys.own()


@pytest.mark.parametrize(
    "text",
    ["somewhere", "1.2.3.4:5", f"1.2.3.4:0/{'ab' * 32}", f"1.2.3.4:70000/{'ab' * 32}",
     f"a b:5/{'ab' * 32}", f"/{'ab' * 32}", f"1.2.3.4:5/{'ab' * 31}", f"tcp://*:5/{'ab' * 32}",
     f"1.2.3.4:5;ipc:///x/{'ab' * 32}"],
)  # fmt: skip
def test_an_invalid_remote_is_refused_when_it_is_set(
    home: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert main(["settings", "remote", text]) == 1
    assert "remote is ADDRESS:PORT/KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("gpu.local", "tcp://gpu.local:17647"),
        ("192.168.1.5:4000", "tcp://192.168.1.5:4000"),
        ("[fe80::1]:4000", "tcp://[fe80::1]:4000"),
        ("fe80::1", "tcp://[fe80::1]:17647"),
        ("tcp://gpu:1", "tcp://gpu:1"),
    ],
)
def test_addresses_that_users_type(text: str, endpoint: str) -> None:
    from dreamlayer.server.config.address import remote_address

    address, key = remote_address(f"{text}/{'ab' * 32}")
    assert address.endpoint == endpoint
    assert key == b"\xab" * 32
