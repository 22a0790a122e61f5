"""The findings of each of the doctor's checks, and that a report is anonymous."""

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
from dreamlayer.doctor import anonymous, home, machine, plugins, service, torch_build
from dreamlayer.doctor.findings import Finding, safely
from dreamlayer.runtime.devices import choosing
from dreamlink import VERSION
from dreamlink.client import discovery
from dreamlink.client.discovery import DaemonInfo
from dreamlink.wire.messages import PROTOCOL
from tests.server.daemons import Daemon

TOKEN = "todays-token"
OLD_TOKEN = "k5Xv0cJZb1R9m3Q7tYw2n4L6p8s0A-B_cDeFgHiJkLm"  # of an earlier daemon


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Dreamlayer's folder, with correct permissions."""
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


def test_this_machine_is_fine():
    found = list(machine.check())
    assert not only(found, "wrong")
    assert any(
        text.startswith("Network: efficientnet-lite0 _blocks.10") for text in only(found, "ok")
    )


def test_a_library_of_another_version_is_named_with_what_to_do(monkeypatch):
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "1.0" if name == "torch" else version(name)
    )
    (said,) = only(machine.check(), "wrong")
    assert f"torch 1.0 ({torch.__version__.partition('+')[0]} is required)" in said
    assert "install.py again" in said


def test_a_device_that_does_not_respond_is_wrong(monkeypatch):
    monkeypatch.setattr(choosing, "answers", lambda device: False)
    (said,) = only(machine.check(), "wrong")
    assert "does not respond" in said
    assert "--device cpu" in said


@pytest.mark.parametrize(
    ("record", "card", "cuda", "words"),
    [
        ({}, True, None, "Run install.py again: it installs the PyTorch for this card"),
        ({}, True, "13.0", "Update the NVIDIA driver to version 580 or newer"),
        ({"advice": "Its driver 535.183 is old."}, True, None, "Its driver 535.183 is old."),
        ({"advice": "Go online."}, False, None, "Go online."),
        ({"device": "cpu", "advice": "Go online."}, True, None, ""),
        ({}, False, None, ""),
        ([], False, None, ""),
    ],
)
def test_a_card_that_pytorch_does_not_use_is_a_warning_with_what_can_help(
    folder, monkeypatch, record, card, cuda, words
):
    (folder / discovery.TORCH_FILE).write_text(json.dumps(record))
    monkeypatch.setattr(torch_build, "has_nvidia_card", lambda: card)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(choosing, "find", lambda name: torch.device("cpu"))
    said = only(machine._device(), "warning")
    if words:
        assert len(said) == 1
        assert "does not use the graphics card" in said[0]
        assert words in said[0]
    else:
        assert not said


def test_without_a_record_of_install_py_or_with_a_damaged_one_the_doctor_goes_on(
    folder, monkeypatch
):
    monkeypatch.setattr(torch_build, "has_nvidia_card", lambda: False)
    assert torch_build.remedy(False) == ""
    (folder / discovery.TORCH_FILE).write_text("{")
    assert torch_build.remedy(False) == ""


def test_a_failing_check_is_a_finding():
    def broken():
        yield Finding("ok", "so far")
        raise OSError("no such place")

    first, second = safely("Place", broken)
    assert first.text == "so far"
    assert (second.level, "no such place" in second.text) == ("wrong", True)


# Dreamlayer's folder.


def test_a_private_writable_folder_is_fine(folder):
    assert fine(home.check())


@pytest.mark.skipif(os.name != "posix", reason="permissions as Unix has them")
def test_a_folder_that_others_can_read_is_wrong_with_the_command_to_close_it(folder):
    folder.chmod(0o755)
    (said,) = only(home.check(), "wrong")
    assert f"chmod 700 '{folder}'" in said
    folder.chmod(0o700)
    (folder / "daemon.json").write_text("{}")
    (folder / "daemon.json").chmod(0o644)
    (said,) = only(home.check(), "wrong")
    assert f"chmod 600 '{folder / 'daemon.json'}'" in said


def test_a_folder_that_cant_be_written_is_wrong(folder, monkeypatch):
    def refused(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    (said,) = only(home.check(), "wrong")
    assert "is not writable (Permission denied)" in said


@pytest.mark.parametrize(("free", "level"), [(0.01e9, "wrong"), (0.5e9, "warning"), (9e9, "ok")])
def test_a_full_disk_is_reported(folder, monkeypatch, free, level):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1e10, 0, free))
    assert any(text.startswith("Disk: ") for text in only(home.check(), level))


def test_an_ignored_setting_is_a_warning_and_changed_ones_are_listed(folder):
    (folder / "settings.json").write_text('{"threads": "lots", "duty": 50}')
    found = list(home.check())
    assert any("threads" in said for said in only(found, "warning"))
    (folder / "settings.json").write_text('{"duty": 50}')
    assert "Settings: duty = 50 % " in only(home.check(), "ok")


def test_a_missing_folder_is_not_wrong(folder):
    folder.rmdir()
    assert not only(home.check(), "wrong")
    assert not folder.exists()


# The plug-ins.


def installed(folder, host, files, **more):
    """Write a plug-in and its manifest as install.py does."""
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


def test_an_unchanged_plugin_is_fine(folder):
    installed(folder, "GIMP 3.0", {"dreamlayer-gimp/dreamlayer-gimp.py": "code"})
    assert fine(plugins.check())


@pytest.mark.parametrize("how", ["changed", "missing", "not executable"])
def test_a_changed_plugin_is_wrong(folder, how):
    script = installed(folder, "GIMP 3.0", {"dreamlayer-gimp/dreamlayer-gimp.py": "code"})
    script = script / "dreamlayer-gimp" / "dreamlayer-gimp.py"
    if how == "changed":
        script.write_text("other")
    elif how == "missing":
        script.unlink()
    else:
        script.chmod(0o644)
    (said,) = only(plugins.check(), "wrong")
    assert said.startswith("GIMP 3.0: ")
    assert "dreamlayer-gimp.py" in said
    assert "install.py again" in said


def test_a_plugin_of_another_version_is_wrong(folder):
    installed(folder, "Krita", {"dreamlink/client/client.py": "code"}, version="0.0.1")
    (said,) = only(plugins.check(), "wrong")
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
    found = list(plugins.check())
    assert fine(found) == good
    assert good or "Python Plugin Manager" in only(found, "wrong")[0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"plugins": [{}]}', '{"plugins": 3}'])
def test_a_damaged_manifest_is_wrong(folder, text):
    (folder / "plugins.json").write_text(text)
    assert any("plugins.json can't be read" in said for said in only(plugins.check(), "wrong"))
    assert plugins.folders() == {}


def test_a_launcher_whose_python_is_gone_is_wrong(folder):
    installed(folder, "Krita", {"dreamlink/client/client.py": "code"})
    (folder / "launcher.json").write_text('{"command": ["/nowhere/python", "-m", "dreamlayer"]}')
    (said,) = only(plugins.check(), "wrong")
    assert "/nowhere/python" in said


def test_nothing_installed_is_a_warning_with_what_to_do(folder):
    found = list(plugins.check())
    assert not only(found, "wrong")
    assert len(only(found, "warning")) == 2


# The test dream.


def judge(pixels=None, **report):
    source = bytes(range(4)) * 100
    dream = SimpleNamespace(
        pixels=bytes([9, 9, 9, 3]) * 100 if pixels is None else pixels,
        report={"seconds": 1.0, "device": "cpu", "gain": 2.0, **report},
    )
    return service.judge(source, dream)


def test_a_dream_must_change_colours_keep_alpha_and_raise_the_gain():
    assert judge().level == "ok"
    assert "gain 2.0" in judge().text
    assert "alpha" in judge(bytes([9, 9, 9, 9]) * 100).text
    assert "only 0%" in judge(bytes(range(4)) * 100).text
    for gain in (1.0, None, float("nan"), -3.0):
        assert judge(gain=gain).level == "wrong"
        assert "no more active than before" in judge(gain=gain).text


# The log.


def test_errors_in_the_log_and_crash_output_are_reported(folder):
    assert fine(service.check_logs())
    lines = [{"level": "info", "event": "start"}, {"level": "error", "error": "Tr…\nKeyError: 'w'"}]
    (folder / "daemon.log").write_text("\n".join(map(json.dumps, lines)) + "\nnot JSON\n")
    (said,) = only(service.check_logs(), "warning")
    assert "KeyError: 'w'" in said
    (folder / "daemon.err").write_text("Fatal Python error: Segmentation fault\n\n")
    assert "Segmentation fault" in only(service.check_logs(), "warning")[1]


@pytest.mark.parametrize(
    "output",
    [
        "/home/z/.local/share/dreamlayer was readable by other users; it no longer is\n",
        "The Dreamlayer daemon is already running (process 7).\n",
        "/x/torch/__init__.py:3: UserWarning: CUDA is old\n  warnings.warn(message)\n",
        "Exception ignored in: f\nTraceback (most recent call last):\n  File x\nOSError\n",
        "\n\n",
    ],
)
def test_what_a_daemon_prints_besides_is_no_crash(folder, output):
    (folder / "daemon.err").write_text(output)
    assert fine(service.check_logs())


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("Fatal Python error: Aborted\n\nThread 0x1:\n  File x\n", "Fatal Python error: Aborted"),
        (
            "Traceback (most recent call last):\n  File x\n    import a\nImportError: no torch\n",
            "ImportError: no torch",
        ),
        ("dreamlayer: No space left on device.\na notice\n", "No space left on device."),
    ],
)
def test_what_ended_a_daemon_is_told(folder, output, message):
    (folder / "daemon.err").write_text(f"a notice\n{output}")
    (said,) = only(service.check_logs(), "warning")
    assert message in said


def test_the_notice_that_the_folder_was_closed_is_no_alarm(folder):
    """What the daemon really prints when others could read its folder."""
    folder.chmod(0o755)
    daemon = Daemon(folder)
    daemon.kill()
    daemon.log.rename(folder / "daemon.err")
    assert "no longer is" in (folder / "daemon.err").read_text()
    assert not any("crashed" in finding.text for finding in service.check_logs())


# A report.


def test_a_report_is_anonymous(folder, monkeypatch, tmp_path):
    person = tmp_path / "Zoë Müller"
    person.mkdir()
    monkeypatch.setenv("HOME", str(person))
    monkeypatch.setenv("USERPROFILE", str(person))
    monkeypatch.setenv("USER", "zoemueller")
    monkeypatch.setattr(getpass, "getuser", lambda: "zoemueller")
    monkeypatch.setattr(socket, "gethostname", lambda: "zoes-laptop.example.org")
    monkeypatch.setattr(anonymous, "_full_name", lambda: {"Zoë", "Müller"})
    discovery.publish(DaemonInfo(PROTOCOL, "0", "tcp://127.0.0.1:1", TOKEN, 1))
    pictures = tmp_path / "media" / "Art"
    package = str(Path(dreamlayer.__file__).parent)
    text = "\n".join(
        [
            f"opened {person}/Bilder/Katze.png",
            json.dumps({"path": f"{person}/x", "folder": str(folder)}),
            f"Log: {folder / 'daemon.log'}",
            f'File "{package}/studio.py", line 3',
            f'File "{sys.prefix}/lib/torch/nn.py", line 3',
            f"token={TOKEN} before={OLD_TOKEN} id=0123456789abcdef",
            "ZOEMUELLER on zoes-laptop.example.org and zoes-laptop: Zoë Müller",
            f"plug-in in {pictures}/pykrita",
        ]
    )
    said = anonymous.anonymous(text, {str(pictures): "(Krita's folder)"})
    for secret in (
        "Zoë", "Müller", "M\\u00fcller", "zoemueller", "ZOEMUELLER", "laptop", "example.org", TOKEN,
        OLD_TOKEN, "0123456789abcdef", str(folder), str(tmp_path), package, sys.prefix, "media",
        "Art",
    ):  # fmt: skip
        assert secret not in said, secret
    assert "(home)/Bilder/Katze.png" in said
    assert "(package)/studio.py" in said
    assert "(Krita's folder)/pykrita" in said
    assert "(user) on (computer) and (computer)" in said


def test_short_names_inside_words_are_kept(monkeypatch):
    monkeypatch.setenv("USER", "art")
    monkeypatch.setattr(getpass, "getuser", lambda: "art")
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    assert anonymous.anonymous("starting the inbox, art") == "starting the inbox, (user)"
