"""The installer's own folder, environment and daemon: nothing foreign is touched."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dreamlink.client import discovery
from install import command_link, environment, own
from install.environment import Environment
from install.errors import InstallError
from install.hosts.places import Machine
from install.packages import disk_space, pip, project
from install.packages.sources import PackageSource

CHECKOUT = Path(__file__).parents[2]

LISTEN = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def listener():
    """A process that listens but never answers, and its port."""
    with subprocess.Popen([sys.executable, "-c", LISTEN], stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield process, int(process.stdout.readline())
        process.kill()


def publish(port: int, pid: int) -> None:
    discovery.publish(discovery.DaemonInfo(1, "0", f"tcp://127.0.0.1:{port}", "secret", pid))


def test_a_daemon_that_does_not_listen_is_made_to_end(listener, tmp_path: Path):
    process, port = listener
    publish(port, process.pid)
    assert own.stop_daemon(Environment(tmp_path / "none"))
    assert process.wait(5) != 0


def test_no_process_is_ended_for_the_file_of_a_daemon_that_is_gone(listener, tmp_path: Path):
    process, port = listener
    process.kill()
    process.wait()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    publish(port, bystander.pid)
    assert not own.stop_daemon(Environment(tmp_path / "none"))
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_clients_learn_how_to_start_the_daemon(home: Path):
    mine = own.Own.of_this_user()
    mine.make()
    mine.write_launcher()
    python = str(mine.environment.python)
    assert discovery.launch_command() == [python, "-I", "-m", "dreamlayer", "serve"]
    assert json.loads(mine.launcher.read_text())["command"] == mine.start_command
    assert [path.name for path in home.iterdir()] == [discovery.LAUNCHER_FILE]


def test_the_folder_is_for_the_user_alone(home: Path):
    own.Own.of_this_user().make()
    assert os.name == "nt" or home.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_one_sentence(home: Path):
    home.write_text("a file")
    with pytest.raises(InstallError, match=r"can't be written .* DREAMLAYER_HOME"):
        own.Own.of_this_user().make()


def test_a_change_of_any_source_is_noticed_and_what_python_compiles_is_not(tmp_path: Path):
    copy = tmp_path / "checkout"
    for source in project.SOURCES:
        if not (CHECKOUT / source).exists():  # wheels, which only an archive has
            continue
        if (CHECKOUT / source).is_dir():
            shutil.copytree(CHECKOUT / source, copy / source)
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(CHECKOUT / source, copy / source)
    first = project.fingerprint(copy)
    assert first == project.fingerprint(CHECKOUT)
    cache = copy / "daemon" / "dreamlayer" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "new.pyc").touch()
    assert project.fingerprint(copy) == first
    (copy / "plugins/link/dreamlink/new.py").touch()
    assert project.fingerprint(copy) != first


def test_a_folder_that_is_no_environment_is_not_overwritten(home: Path):
    theirs = home / "env" / "precious.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    with pytest.raises(InstallError, match="not a Python environment"):
        environment.make(Environment(home / "env"))
    assert theirs.read_text() == "theirs"


def test_a_full_disk_is_noticed_before_the_download(home: Path, monkeypatch: pytest.MonkeyPatch):
    home.mkdir()
    disk_space.check_space(home, 1.0, 1.0)
    with pytest.raises(InstallError, match=r"GB free in .* needs 3000000000\.0: free some space"):
        disk_space.check_space(home, 1e18, 1e18)


def test_the_disk_of_temporary_files_is_looked_at_too(home: Path, monkeypatch: pytest.MonkeyPatch):
    home.mkdir()
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == home.stat().st_dev:
        pytest.skip("there is no second disk")
    usage = shutil.disk_usage(home)
    free = {elsewhere: int(1e9), home: int(5e9)}
    monkeypatch.setattr(disk_space.tempfile, "gettempdir", lambda: str(elsewhere))
    monkeypatch.setattr(
        disk_space.shutil, "disk_usage", lambda path: usage._replace(free=free[path])
    )
    disk_space.check_space(home, 0.9e9, 4e9)
    with pytest.raises(InstallError, match=r"1\.0 GB free in /dev/shm.* needs 2\.0.*TMPDIR"):
        disk_space.check_space(home, 2e9, 1e9)


@pytest.fixture
def bare_python(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Python as Debian ships it: without ensurepip, without pip."""
    monkeypatch.setattr(environment, "_has_venv", lambda: False)
    monkeypatch.setattr(environment, "_pip_version", lambda: (0, 0))
    return monkeypatch


@pytest.mark.skipif(os.name == "nt", reason="Debian is no Windows")
def test_debians_python_is_told_what_it_lacks(home: Path, bare_python: pytest.MonkeyPatch):
    home.mkdir()
    bare_python.setattr(environment.shutil, "which", lambda name: f"/usr/bin/{name}")
    bare_python.setattr(environment.os, "geteuid", lambda: 1000)
    with pytest.raises(InstallError, match=r"`sudo apt install python3\.\d+-venv`"):
        environment.make(Environment(home / "env"))


def test_other_pythons_are_told_what_they_lack(home: Path, bare_python: pytest.MonkeyPatch):
    home.mkdir()
    bare_python.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(InstallError, match="no venv with ensurepip"):
        environment.make(Environment(home / "env"))


@pytest.fixture
def mine(home: Path) -> Environment:
    """An environment without packages."""
    home.mkdir()
    made = Environment(home / "env")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made.folder], check=True)
    return made


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError(...)\nNo matching distribution found for torch", "go online"),
        ("No matching distribution found for torch==9", "no package for this Python"),
        (
            "THESE PACKAGES DO NOT MATCH THE HASHES FROM",
            "not the one that Dreamlayer was made with",
        ),
        ("something unheard of", "reason is above"),
    ],
)
def test_what_pip_says_becomes_one_sentence(
    mine: Environment, monkeypatch: pytest.MonkeyPatch, words: str, meant: str
):
    script = f"import sys; open(sys.argv[2], 'w').write({words!r}); sys.exit(1)"
    monkeypatch.setattr(pip, "pip_command", lambda _: [sys.executable, "-c", script])
    with pytest.raises(InstallError, match=f"{meant}.*run install"):
        pip.pip_install(mine, mine.folder.parent / "log", "something")


def test_an_environment_counts_as_current_once_pip_has_finished(
    mine: Environment, monkeypatch: pytest.MonkeyPatch
):
    log = mine.folder.parent / "log"
    fails = [sys.executable, "-c", "import sys; sys.exit(1)"]
    monkeypatch.setattr(pip, "pip_command", lambda _: fails)
    with pytest.raises(InstallError):
        project.install_project(mine, CHECKOUT, PackageSource(), log)
    assert not project.is_current(mine, CHECKOUT)
    monkeypatch.setattr(pip, "pip_command", lambda _: [sys.executable, "-c", ""])
    project.install_project(mine, CHECKOUT, PackageSource(), log)
    assert project.is_current(mine, CHECKOUT)
    (mine.folder / "lib").rename(mine.folder / "lib-of-another-python")
    assert os.name == "nt" or not project.is_current(mine, CHECKOUT)


@pytest.mark.parametrize("stopped_after", ["begun", "half", "all but pip"])
def test_an_environment_that_was_not_made_to_the_end_is_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch, stopped_after: str
):
    """Killed while Python made it: there may be a Python that works, but no pip in it."""
    monkeypatch.setattr(environment, "_has_venv", lambda: False)  # without pip: it is quicker
    monkeypatch.setattr(environment, "_pip_version", lambda: (23, 0))
    made = Environment(home / "env")
    made.folder.mkdir(parents=True)
    (made.folder / environment.BEGUN).touch()
    if stopped_after != "begun":
        (made.folder / "bin").mkdir()
    if stopped_after == "all but pip":
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", made.folder], check=True)
        (made.folder / "left").touch()
    environment.make(made)
    assert made.works()
    assert not (made.folder / "left").exists()
    (made.folder / "kept").touch()
    environment.make(made)
    assert (made.folder / "kept").exists()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    programs = tmp_path / ".local" / "bin"
    programs.mkdir(parents=True)
    return Machine("linux", tmp_path, {"PATH": f"/usr/bin{os.pathsep}{programs}"})


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such folder")
def test_the_command_is_linked_where_the_shell_finds_it(machine: Machine, home: Path):
    mine = Environment(home / "env")
    for _ in range(2):
        link = command_link.link_command(mine, machine)
        assert link == machine.home / ".local/bin/dreamlayer"
        assert link.readlink() == mine.script
    assert command_link.unlink_command(mine, machine)
    assert not command_link.unlink_command(mine, machine)
    assert list(link.parent.iterdir()) == []


def test_a_program_of_that_name_is_left_alone(machine: Machine, home: Path):
    theirs = machine.home / ".local/bin/dreamlayer"
    theirs.write_text("theirs")
    assert command_link.link_command(Environment(home / "env"), machine) is None
    assert not command_link.unlink_command(Environment(home / "env"), machine)
    assert theirs.read_text() == "theirs"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such folder")
def test_a_link_to_another_program_is_left_alone(machine: Machine, home: Path):
    theirs = machine.home / ".local/bin/dreamlayer"
    theirs.symlink_to("/usr/bin/true")
    assert command_link.link_command(Environment(home / "env"), machine) is None
    assert theirs.readlink() == Path("/usr/bin/true")


def test_no_link_is_made_where_the_shell_would_not_look(machine: Machine, home: Path):
    elsewhere = Machine("linux", machine.home, {"PATH": "/usr/bin"})
    assert command_link.link_command(Environment(home / "env"), elsewhere) is None
    assert list((machine.home / ".local/bin").iterdir()) == []
