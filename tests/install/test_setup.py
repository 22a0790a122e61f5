"""install.py as a person uses it: installed, checked, used, removed, and told what is wrong.

The environment is made without pip here: it borrows the libraries of the Python that runs this.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
import torch
from PIL import Image

import dreamlink
from install import installer
from install.builds import record, setup
from install.builds.cards import Computer
from install.environment import STAMP, Environment
from install.hosts import copying
from install.login import systemd
from install.own import Own
from install.packages import installed, project, sources
from tests.install import borrowed

CHECKOUT = Path(__file__).parents[2]
KRITARC = "[python]\nenable_other=true\n\n[theme]\nTheme=dark\n"


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home, with a Krita and a GIMP that have plug-ins already."""
    home = tmp_path / "Zoë Müller"
    for folder in ("APPDATA", "LOCALAPPDATA", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(folder, raising=False)
    for variable in ("GIMP3_DIRECTORY", "DREAMLAYER_HOME", "SNAP_REAL_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"/usr/bin{os.pathsep}{home / '.local' / 'bin'}")
    monkeypatch.setattr(installer.places, "new_gimps", lambda machine: [])
    # It would be that of who runs the tests.
    monkeypatch.setattr(systemd.UserManager, "_call", lambda manager, *arguments: False)
    for folder in (".local/bin", ".local/share/krita/pykrita/other", ".config/GIMP/3.0/plug-ins/a"):
        (home / folder).mkdir(parents=True)
    (home / ".config/kritarc").write_text(KRITARC)
    (home / ".config/GIMP/3.0/plug-ins/a/a.py").write_text("theirs")
    (home / ".local/share/krita/pykrita/other/__init__.py").write_text("theirs")
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Environments that were made, with the processor's build of PyTorch, which fits here."""
    made = []

    def make(mine: Environment) -> None:
        if mine.works():
            return
        made.append(mine.folder)
        packages = borrowed.make(mine)
        (packages / "msgpack").symlink_to(Path(msgpack.__file__).parent)
        for info in Path(msgpack.__file__).parents[1].glob("msgpack-*.dist-info"):
            (packages / info.name).symlink_to(info)

    def install(
        mine: Environment, checkout: Path, source: sources.PackageSource, log: Path
    ) -> None:
        (mine.folder / STAMP).write_text(project.fingerprint(checkout))

    def version(mine: Environment) -> str:
        return f"{torch.__version__.partition('+')[0]}+cpu" if mine.python.exists() else ""

    monkeypatch.setattr(setup, "make", make)
    monkeypatch.setattr(setup, "pip_install", lambda *arguments: None)
    monkeypatch.setattr(project, "install_project", install)
    monkeypatch.setattr(sources, "offers", lambda *question: False)
    monkeypatch.setattr(installed, "version", version)
    monkeypatch.setattr(installer.cards, "look", lambda: Computer("linux", "x86"))
    return made


def run(*arguments: str) -> int:
    return installer.main(CHECKOUT, arguments)


def files(home: Path) -> dict[str, bytes]:
    found = [path for path in home.rglob("*") if path.is_file()]
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in found}


@pytest.mark.skipif(sys.platform != "linux", reason="the home is laid out as on Linux")
def test_a_person_installs_dreams_checks_and_uninstalls(person: Path, builds: list[Path], capsys):
    before = files(person)
    Image.new("RGB", (96, 64), "teal").save(person / "blau grün.png")
    try:
        assert run("--dream", "blau grün.png", "--autostart") == 0
        said = capsys.readouterr().out
        assert str(person / "blau grün-dream.png") in said
        for way in ("Filter ▸ Deep Dream…", "Filters ▸ Artistic ▸ Deep Dream…"):
            assert way in said
        assert Image.open(person / "blau grün-dream.png").size == (96, 64)
        libraries = person / ".local/share/krita/pykrita" / copying.KRITA_LIBRARIES
        assert (libraries / "dreamlink/_vendor/msgpack").is_dir()
        assert (person / ".config/GIMP/3.0/plug-ins/dreamlayer-gimp").is_dir()
        assert "enable_dreamlayer_krita=true" in (person / ".config/kritarc").read_text()
        told = json.loads((person / ".local/share/dreamlayer/plugins.json").read_text())["plugins"]
        assert [plugin["host"] for plugin in told] == ["Krita", "GIMP 3.0"]
        for plugin in told:
            assert plugin["version"] == dreamlink.VERSION
            for name, digest in plugin["files"].items():
                content = Path(plugin["folder"], name).read_bytes()
                assert hashlib.sha256(content).hexdigest() == digest

        assert run("--dream", "blau grün.png") == 0  # nothing is made anew, nothing overwritten
        assert (person / "blau grün-dream-2.png").is_file()
        assert len(builds) == 1

        capsys.readouterr()
        assert run("--check") == 0, capsys.readouterr().out
        assert (person / ".config/autostart/dreamlayer.desktop").is_file()
        (libraries / "dreamlink/recipe/recipe.py").write_text("")
        (person / ".config/kritarc").write_text(KRITARC)
        assert run("--check") == 1
        said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("!!")]
        assert [line.split(":")[0] for line in said] == ["!!  Krita", "!!  Krita"]
        assert all(line.endswith("run install.py again.") for line in said)
    finally:
        assert run("--uninstall") == 0
    for picture in person.glob("blau*.png"):
        picture.unlink()
    assert files(person) == before
    assert not (person / ".local/share/dreamlayer").exists()
    capsys.readouterr()
    assert run("--uninstall") == 0
    assert "was not installed" in capsys.readouterr().out


def test_a_file_that_others_put_into_dreamlayers_folder_survives(person: Path, capsys):
    theirs = person / ".local/share/dreamlayer/env/notes.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    names = ("daemon.log", "daemon.log.1", "daemon.err", "plugins.json", ".trial")
    unfinished = (".dream-360185edabe66513", f"launcher.json.{'0a' * 8}.4711", "daemon.json..12")
    for ours in (*names, *unfinished):
        (theirs.parents[1] / ours).write_text("ours")
    ours = ("python/bin", "downloads/http", "setup/install")
    for folder in (*(f"dreamlayer-{name}" for name in ours), "channel-thumbnails/vgg16"):
        (theirs.parents[1] / folder).mkdir(parents=True)
    also = dict.fromkeys(
        (".dream-of-mine/a", "downloads/a.zip", "python/a.py", "setup/a", "models/a.py"), b"theirs"
    )
    for name, content in also.items():
        (theirs.parents[1] / name).parent.mkdir()
        (theirs.parents[1] / name).write_bytes(content)
    assert run("--uninstall", "--everything") == 0
    left = {path.name for path in theirs.parents[1].iterdir()}
    assert left == {"env", ".dream-of-mine", "downloads", "python", "setup", "models"}
    assert files(theirs.parents[1]) == {"env/notes.txt": b"theirs"} | also
    assert str(theirs.parents[1]) in capsys.readouterr().out


def test_what_the_user_has_made_stays_and_is_offered_to_go(person: Path, capsys):
    folder = person / ".local/share/dreamlayer"
    for name in ("models/mine.safetensors", "keys/key.json", "settings.json", "daemon.log"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("content")
    assert run("--uninstall") == 0
    assert set(files(folder)) == {"models/mine.safetensors", "keys/key.json", "settings.json"}
    said = capsys.readouterr().out
    assert "Kept" in said
    for words in ("networks of your own (models)", "settings (settings.json)", "(keys)"):
        assert words in said
    assert "install.py --uninstall --everything" in said
    assert run("--uninstall", "--everything") == 0
    assert not folder.exists()
    assert "Kept" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run("--everything")
    assert "--everything is for --uninstall" in capsys.readouterr().err


def test_sentences_name_what_the_user_started(
    person: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DREAMLAYER_STARTED_AS", "Install-Windows.cmd")
    assert run("--check") == 1
    assert "run Install-Windows.cmd." in capsys.readouterr().out
    assert run("--offline", "nowhere") == 1
    assert "There is no folder nowhere" in capsys.readouterr().err


def test_check_of_nothing_says_so_and_makes_nothing(person: Path, capsys):
    before = files(person)
    assert run("--check") == 1
    assert "not installed for this user: run install.py" in capsys.readouterr().out
    assert files(person) == before


def test_a_missing_picture_is_told_before_anything_is_installed(
    person: Path, builds: list[Path], capsys
):
    before = files(person)
    assert run("--dream", "nowhere.png") == 1
    assert "There is no picture nowhere.png" in capsys.readouterr().err
    assert files(person) == before
    assert builds == []


def test_one_host_that_fails_does_not_keep_the_plugin_from_the_others(
    person: Path, builds: list[Path], capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(installer, "_dream", lambda checkout, own, picture: Path("dream.png"))
    (person / ".config/GIMP/3.2").mkdir()
    (person / ".config/GIMP/3.2/plug-ins").write_text("a file, not a folder")
    assert run() == 1
    assert "GIMP 3.2: " in capsys.readouterr().err
    assert copying.gimp_differences(CHECKOUT, person / ".config/GIMP/3.0", msgpack_folder()) == []


def test_the_device_is_remembered_until_another_is_named(
    person: Path, builds: list[Path], capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(installer, "_dream", lambda checkout, own, picture: Path("dream.png"))
    own = Own(person / ".local/share/dreamlayer")
    for arguments, device in (((), "auto"), (("--device", "cpu"), "cpu"), ((), "cpu")):
        assert run(*arguments) == 0
        assert record.read(own).device == device
    assert run("--device", "auto") == 0
    assert record.read(own).device == "auto"
    assert len(builds) == 1
    with pytest.raises(SystemExit):
        run("--check", "--device", "cpu")
    assert "--device is for installing" in capsys.readouterr().err


def test_a_computer_that_pytorch_has_no_build_for_is_refused_before_anything_is_made(
    person: Path, builds: list[Path], capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(installer.cards, "look", lambda: Computer("darwin", "other", (14, 5)))
    before = files(person)
    assert run() == 1
    assert "no build for Macs with an Intel processor" in capsys.readouterr().err
    assert files(person) == before
    assert builds == []


def msgpack_folder() -> Path:
    return Path(msgpack.__file__).parent


def test_an_old_python_gets_a_sentence_it_can_parse():
    script = CHECKOUT / "install" / "install.py"
    ast.parse(script.read_text(), feature_version=(3, 4))
    assert script.read_text().isascii()  # Python 2 wants that
    old = f"import sys; sys.version_info = (3, 9, 2); exec(open({str(script)!r}).read())"
    done = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Dreamlayer needs Python 3.10 or newer, but this is Python 3.9:")
    assert done.stderr.count("\n") == 1


def test_it_needs_only_the_standard_library_and_leaves_the_source_tree_as_it_is(
    person: Path, tmp_path: Path
):
    compiled = tmp_path / "compiled"
    options = ["-I", "-S", "-X", f"pycache_prefix={compiled}"]
    command = [sys.executable, *options, CHECKOUT / "install" / "install.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("!!  Dreamlayer is not installed"), done.stderr
    assert not [path for path in compiled.rglob("*.pyc") if str(CHECKOUT) in str(path)]
