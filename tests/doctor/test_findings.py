"""What `dreamlayer doctor` finds in each room, and that a report tells nobody who wrote it."""

import getpass
import hashlib
import importlib.metadata
import json
import os
import socket
import sys
import tempfile
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import dreamlayer
from dreamlayer.doctor import anonymous, home, machine, plugins, service
from dreamlayer.doctor.findings import Finding, safely
from dreamlayer.runtime import devices
from dreamlink import VERSION
from dreamlink.client import discovery
from dreamlink.client.discovery import DaemonInfo

TOKEN = "todays-token"
FORMER = "k5Xv0cJZb1R9m3Q7tYw2n4L6p8s0A-B_cDeFgHiJkLm"  # of a daemon before


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Dreamlayer's folder, private as it should be."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("DREAMLAYER_HOME", str(path))
    return path


def only(findings, level):
    return [f"{finding.text} {finding.remedy}" for finding in findings if finding.level == level]


def fine(findings):
    found = list(findings)
    return not only(found, "wrong") and not only(found, "warning")


# The machine.


def test_this_machine_is_as_it_should_be():
    found = list(machine.look())
    assert not only(found, "wrong")
    assert any(text.startswith("Network: squeezenet1_1 features.10") for text in only(found, "ok"))


def test_a_library_of_another_version_is_named_with_what_to_do(monkeypatch):
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "1.0" if name == "torch" else version(name)
    )
    (said,) = only(machine.look(), "wrong")
    assert f"torch 1.0 (made for {torch.__version__.partition('+')[0]})" in said
    assert "install.py again" in said


def test_a_device_that_computes_nothing_is_wrong(monkeypatch):
    monkeypatch.setattr(devices, "answers", lambda device: False)
    (said,) = only(machine.look(), "wrong")
    assert "computes nothing" in said
    assert "--device cpu" in said


def test_a_card_that_pytorch_does_not_use_is_a_warning(monkeypatch):
    monkeypatch.setattr(machine, "_has_nvidia_card", lambda: True)
    monkeypatch.setattr(devices, "find", lambda name: torch.device("cpu"))
    assert any("can't use it" in said for said in only(machine.look(), "warning"))


def test_what_cant_be_looked_at_is_a_finding_too():
    def broken():
        yield Finding("ok", "so far")
        raise OSError("no such place")

    first, second = safely("Place", broken)
    assert first.text == "so far"
    assert (second.level, "no such place" in second.text) == ("wrong", True)


# Dreamlayer's folder.


def test_a_folder_as_it_should_be(folder):
    assert fine(home.look())


@pytest.mark.skipif(os.name != "posix", reason="permissions as Unix has them")
def test_a_folder_that_others_can_open_is_wrong_and_says_how_to_close_it(folder):
    folder.chmod(0o755)
    (said,) = only(home.look(), "wrong")
    assert f"chmod 700 '{folder}'" in said
    folder.chmod(0o700)
    (folder / "daemon.json").write_text("{}")
    (folder / "daemon.json").chmod(0o644)
    (said,) = only(home.look(), "wrong")
    assert f"chmod 600 '{folder / 'daemon.json'}'" in said


def test_a_folder_that_cant_be_written_is_wrong(folder, monkeypatch):
    def refused(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    (said,) = only(home.look(), "wrong")
    assert "can't be written (Permission denied)" in said


@pytest.mark.parametrize(("free", "level"), [(0.01e9, "wrong"), (0.5e9, "warning"), (9e9, "ok")])
def test_a_full_disk_is_said(folder, monkeypatch, free, level):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1e10, 0, free))
    assert any(text.startswith("Disk: ") for text in only(home.look(), level))


def test_a_setting_that_is_left_out_is_a_warning_and_the_others_are_told(folder):
    (folder / "settings.json").write_text('{"threads": "lots", "duty": 50}')
    found = list(home.look())
    assert any("threads" in said for said in only(found, "warning"))
    (folder / "settings.json").write_text('{"duty": 50}')
    assert "Settings: duty = 50 % " in only(home.look(), "ok")


def test_a_folder_that_is_not_there_yet_is_no_fault(folder):
    folder.rmdir()
    assert not only(home.look(), "wrong")
    assert not folder.exists()


# The plug-ins.


def installed(folder, host, files, **more):
    """A plug-in as install.py leaves and describes it."""
    place = folder.parent / host
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    plugin = {"host": host, "version": VERSION, "folder": str(place), "files": digests, **more}
    (folder / "plugins.json").write_text(json.dumps({"plugins": [plugin]}))
    (folder / "launcher.json").write_text(json.dumps({"command": [sys.executable, "-m", "x"]}))
    return place


def test_a_plugin_as_it_was_installed(folder):
    installed(folder, "GIMP 3.0", {"dreamlayer-gimp/dreamlayer-gimp.py": "code"})
    assert fine(plugins.look())


@pytest.mark.parametrize("how", ["changed", "missing", "not executable"])
def test_a_plugin_that_is_not_as_it_was_is_wrong(folder, how):
    script = installed(folder, "GIMP 3.0", {"dreamlayer-gimp/dreamlayer-gimp.py": "code"})
    script = script / "dreamlayer-gimp" / "dreamlayer-gimp.py"
    if how == "changed":
        script.write_text("other")
    elif how == "missing":
        script.unlink()
    else:
        script.chmod(0o644)
    (said,) = only(plugins.look(), "wrong")
    assert said.startswith("GIMP 3.0: ")
    assert "dreamlayer-gimp.py" in said
    assert "install.py again" in said


def test_a_plugin_of_another_version_is_wrong(folder):
    installed(folder, "Krita", {"dreamlink/client/client.py": "code"}, version="0.0.1")
    (said,) = only(plugins.look(), "wrong")
    assert f"the plug-in is version 0.0.1, Dreamlayer is {VERSION}" in said


@pytest.mark.parametrize(
    ("settings", "good"),
    [("[python]\nenable_dreamlayer_krita=true\n", True), ("[python]\n", False), (None, False)],
)
def test_a_plugin_that_krita_does_not_load_is_wrong(folder, settings, good):
    rc = folder.parent / "kritarc"
    if settings is not None:
        rc.write_text(settings)
    installed(folder, "Krita", {"dreamlink/client/client.py": "code"}, settings=str(rc))
    found = list(plugins.look())
    assert fine(found) == good
    assert good or "Python Plugin Manager" in only(found, "wrong")[0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"plugins": [{}]}', '{"plugins": 3}'])
def test_a_damaged_list_of_plugins_is_said(folder, text):
    (folder / "plugins.json").write_text(text)
    assert any("plugins.json can't be read" in said for said in only(plugins.look(), "wrong"))
    assert plugins.folders() == {}


def test_a_python_that_is_gone_from_the_launcher_is_wrong(folder):
    installed(folder, "Krita", {"dreamlink/client/client.py": "code"})
    (folder / "launcher.json").write_text('{"command": ["/nowhere/python", "-m", "dreamlayer"]}')
    (said,) = only(plugins.look(), "wrong")
    assert "/nowhere/python" in said


def test_nothing_installed_is_a_warning_with_what_to_do(folder):
    found = list(plugins.look())
    assert not only(found, "wrong")
    assert len(only(found, "warning")) == 2


# The test dream.


def judged(pixels=None, **report):
    source = bytes(range(4)) * 100
    dream = SimpleNamespace(
        pixels=bytes([9, 9, 9, 3]) * 100 if pixels is None else pixels,
        report={"seconds": 1.0, "device": "cpu", "gain": 2.0, **report},
    )
    return service.judged(source, dream)


def test_a_dream_is_known_by_what_it_changes_and_what_it_leaves():
    assert judged().level == "ok"
    assert "gain 2.0" in judged().text
    assert "alpha" in judged(bytes([9, 9, 9, 9]) * 100).text
    assert "only 0%" in judged(bytes(range(4)) * 100).text
    for gain in (1.0, None, float("nan"), -3.0):
        assert judged(gain=gain).level == "wrong"
        assert "no more than before" in judged(gain=gain).text


# The log.


def test_errors_in_the_log_and_last_words_are_told(folder):
    assert fine(service.logged())
    lines = [{"level": "info", "event": "start"}, {"level": "error", "error": "Tr…\nKeyError: 'w'"}]
    (folder / "daemon.log").write_text("\n".join(map(json.dumps, lines)) + "\nnot JSON\n")
    (said,) = only(service.logged(), "warning")
    assert "KeyError: 'w'" in said
    (folder / "daemon.err").write_text("Fatal Python error: Segmentation fault\n\n")
    assert "Segmentation fault" in only(service.logged(), "warning")[1]


# A report.


def test_a_report_tells_nobody_who_wrote_it(folder, monkeypatch, tmp_path):
    person = tmp_path / "Zoë Müller"
    person.mkdir()
    monkeypatch.setenv("HOME", str(person))
    monkeypatch.setenv("USERPROFILE", str(person))
    monkeypatch.setenv("USER", "zoemueller")
    monkeypatch.setattr(getpass, "getuser", lambda: "zoemueller")
    monkeypatch.setattr(socket, "gethostname", lambda: "zoes-laptop.example.org")
    monkeypatch.setattr(anonymous, "_full_name", lambda: {"Zoë", "Müller"})
    discovery.publish(DaemonInfo(1, "0", "tcp://127.0.0.1:1", TOKEN, 1))
    pictures = tmp_path / "media" / "Art"
    package = str(Path(dreamlayer.__file__).parent)
    text = "\n".join(
        [
            f"opened {person}/Bilder/Katze.png",
            json.dumps({"path": f"{person}/x", "folder": str(folder)}),
            f"Log: {folder / 'daemon.log'}",
            f'File "{package}/studio.py", line 3',
            f'File "{sys.prefix}/lib/torch/nn.py", line 3',
            f"token={TOKEN} before={FORMER} id=0123456789abcdef",
            "ZOEMUELLER on zoes-laptop.example.org and zoes-laptop: Zoë Müller",
            f"plug-in in {pictures}/pykrita",
        ]
    )
    said = anonymous.anonymous(text, {str(pictures): "(Krita's folder)"})
    for secret in (
        "Zoë", "Müller", "M\\u00fcller", "zoemueller", "ZOEMUELLER", "laptop", "example.org", TOKEN,
        FORMER, "0123456789abcdef", str(folder), str(tmp_path), package, sys.prefix, "media", "Art",
    ):  # fmt: skip
        assert secret not in said, secret
    assert "(home)/Bilder/Katze.png" in said
    assert "(package)/studio.py" in said
    assert "(Krita's folder)/pykrita" in said
    assert "(user) on (computer) and (computer)" in said


def test_parts_of_words_stay_as_they_are(monkeypatch):
    monkeypatch.setenv("USER", "art")
    monkeypatch.setattr(getpass, "getuser", lambda: "art")
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    assert anonymous.anonymous("starting the inbox, art") == "starting the inbox, (user)"
