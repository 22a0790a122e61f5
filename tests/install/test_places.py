"""Krita's and GIMP's folders are found on every system and in every packaging."""

from pathlib import Path

import pytest

from install.hosts import places
from install.hosts.places import Machine


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "Zoë Müller"
    folder.mkdir(parents=True)
    return folder


def machine(home: Path, platform: str, **environ: str) -> Machine:
    top = home.parents[1]
    return Machine(platform, home, {"PATH": str(top / "bin"), **environ}, top)


def make(home: Path, *folders: str) -> None:
    for folder in folders:
        (home / folder).mkdir(parents=True)


def program(home: Path, name: str, says: str = "") -> Path:
    path = home.parents[1] / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def krita_paths(found: Machine) -> list[tuple[Path, Path]]:
    return [(place.data, place.settings) for place in places.kritas(found)]


def test_an_empty_home_has_no_hosts(home: Path):
    for platform in ("linux", "darwin", "win32"):
        found = machine(home, platform)
        assert places.kritas(found) == places.gimps(found) == places.new_gimps(found) == []
        assert places.hints(found) == []


def test_this_machine_is_looked_at_by_default(home: Path, monkeypatch: pytest.MonkeyPatch):
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "GIMP3_DIRECTORY", "APPDATA"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(home))
    assert all(home in place.profile.parents for place in places.gimps(Machine()))
    assert Machine().home == home


@pytest.mark.parametrize(
    ("platform", "data", "settings"),
    [
        ("linux", ".local/share/krita", ".config/kritarc"),
        (
            "linux",
            ".var/app/org.kde.krita/data/krita",
            ".var/app/org.kde.krita/config/kritarc",
        ),
        (
            "linux",
            "snap/krita/current/.local/share/krita",
            "snap/krita/current/.config/kritarc",
        ),
        ("darwin", "Library/Application Support/krita", "Library/Preferences/kritarc"),
        ("win32", "AppData/Roaming/krita", "AppData/Local/kritarc"),
        (
            "win32",
            "AppData/Local/Packages/49800Krita_x1/LocalCache/Roaming/krita",
            "AppData/Local/Packages/49800Krita_x1/LocalCache/Local/kritarc",
        ),
    ],
)
def test_krita_is_found_by_its_folder(home: Path, platform: str, data: str, settings: str):
    make(home, data)
    assert krita_paths(machine(home, platform)) == [(home / data, home / settings)]


def test_krita_is_found_by_its_program_before_its_first_start(home: Path):
    program(home, "krita")
    assert krita_paths(machine(home, "linux")) == [
        (home / ".local/share/krita", home / ".config/kritarc")
    ]


def test_krita_of_windows_is_found_in_the_program_files(home: Path):
    make(home, "Programs/Krita (x64)")
    found = machine(home, "win32", PROGRAMFILES=str(home / "Programs"))
    assert krita_paths(found)[0][0] == home / "AppData/Roaming/krita"


def test_flatpak_krita_is_found_before_its_first_start(home: Path):
    make(home.parents[1], "var/lib/flatpak/app/org.kde.krita")
    assert krita_paths(machine(home, "linux"))[0][0] == home / ".var/app/org.kde.krita/data/krita"


def test_xdg_folders_are_heeded_as_krita_and_gimp_heed_them(home: Path, tmp_path: Path):
    make(tmp_path, "data/krita", "config/GIMP/3.0")
    found = machine(
        home,
        "linux",
        XDG_DATA_HOME=str(tmp_path / "data"),
        XDG_CONFIG_HOME=str(tmp_path / "config"),
    )
    assert krita_paths(found) == [(tmp_path / "data/krita", tmp_path / "config/kritarc")]
    assert [place.profile for place in places.gimps(found)] == [tmp_path / "config/GIMP/3.0"]


def test_several_kritas_are_all_found(home: Path):
    make(home, ".local/share/krita", ".var/app/org.kde.krita")
    assert len(places.kritas(machine(home, "linux"))) == 2


@pytest.mark.parametrize(
    ("platform", "root"),
    [
        ("linux", ".config/GIMP"),
        ("linux", ".var/app/org.gimp.GIMP/config/GIMP"),
        ("linux", "snap/gimp/current/.config/GIMP"),
        ("darwin", "Library/Application Support/GIMP"),
        ("win32", "AppData/Roaming/GIMP"),
    ],
)
def test_every_gimp_3_profile_is_found_and_no_other(home: Path, platform: str, root: str):
    make(home, *(f"{root}/{name}" for name in ("2.10", "2.99", "3.0", "3.2", "3.x-old")))
    profiles = [place.profile for place in places.gimps(machine(home, platform))]
    assert profiles == [home / root / "3.0", home / root / "3.2"]


def test_the_profile_that_gimp_is_told_to_use_is_found(home: Path):
    make(home, "mine")
    found = machine(home, "linux", GIMP3_DIRECTORY=str(home / "mine"))
    assert [place.profile for place in places.gimps(found)] == [home / "mine"]


def test_a_gimp_that_was_never_started_is_new(home: Path):
    says = "GNU Image Manipulation Program version 3.2.6"
    path = program(home, "gimp-console", says)
    program(home, "gimp", says)
    (new,) = places.new_gimps(machine(home, "linux"))
    assert (new.program, new.profile) == (path, home / ".config/GIMP/3.2")
    make(home, ".config/GIMP/3.2")
    assert places.new_gimps(machine(home, "linux")) == []


def test_gimp_2_is_not_taken_for_a_host_but_spoken_of(home: Path):
    program(home, "gimp", "GNU Image Manipulation Program version 2.10.34")
    assert places.new_gimps(machine(home, "linux")) == []
    assert ["install GIMP 3" in hint for hint in places.hints(machine(home, "linux"))] == [True]


def test_a_program_that_only_fails_is_no_gimp(home: Path):
    program(home, "gimp", "error while loading shared libraries")
    assert places.new_gimps(machine(home, "linux")) == places.hints(machine(home, "linux")) == []


def test_sandboxed_hosts_that_were_never_started_are_spoken_of(home: Path):
    make(home.parents[1], "snap/krita", "var/lib/flatpak/app/org.gimp.GIMP")
    hints = places.hints(machine(home, "linux"))
    assert [hint.split()[0] for hint in hints] == ["Krita", "GIMP"]
    assert all("start it once" in hint for hint in hints)


def test_a_running_program_is_seen(home: Path):
    assert not places.is_running("no-such-program", machine(home, "linux"))


@pytest.mark.parametrize(
    ("folder", "is_sandboxed"),
    [
        (".var/app/org.kde.krita", True),
        (".local/share/flatpak/app/org.gimp.GIMP", True),
        ("../../var/lib/flatpak/app/org.gimp.GIMP", True),
        ("snap/krita/common", True),
        ("snap/code/common", False),
        (".local/share/krita", False),
    ],
)
def test_hosts_that_can_not_start_the_daemon_are_known(home: Path, folder: str, is_sandboxed: bool):
    assert not places.has_sandboxed_host(machine(home, "linux"))
    make(home, folder)
    assert places.has_sandboxed_host(machine(home, "linux")) == is_sandboxed
    assert not places.has_sandboxed_host(machine(home, "darwin"))
