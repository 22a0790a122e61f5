"""Notes about problems of a finished dream reach the client and are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from dreamlayer.cli.main import main
from dreamlink.client.client import Client
from tests.server.daemons import Daemon, finish, start_dream


def test_notes_are_sent_with_the_dream(client: Client) -> None:
    for gain, notes in ((False, []), (True, ["It was measured."])):
        dream = start_dream(client, 1, gain=gain)
        finish(client, dream)
        assert dream.notes == notes


def test_the_command_line_shows_notes(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, result = tmp_path / "a.png", tmp_path / "b.png"
    Image.new("RGB", (64, 64), "teal").save(picture)
    assert main(["dream", str(picture), "-o", str(result), "--channels", "1", "--json"]) == 0
    said = capsys.readouterr()
    assert "dreamlayer: It was measured.\n" in said.err
    assert json.loads(said.out)["notes"] == ["It was measured."]
