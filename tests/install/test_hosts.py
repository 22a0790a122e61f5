"""The plug-ins in a host's folder: whole, current, self-sufficient, and gone without a trace."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest

from install.errors import InstallError
from install.hosts import copying

CHECKOUT = Path(__file__).parents[2]
MSGPACK = Path(msgpack.__file__).parent
LINK = Path(copying.KRITA_LIBRARIES, "dreamlink")  # in pykrita/

ROUND_TRIP = """
import sys
sys.path.insert(0, sys.argv[1])
from dreamlink.client import client, launch
from dreamlink.session import dream
from dreamlink.wire import messages
assert messages.msgpack.__name__ == "dreamlink._vendor.msgpack", messages.msgpack
header = {"op": "dream", "seed": 2**31 - 1, "strength": 0.25, "name": "Träumer", "raw": b"\\0\\xff"}
assert messages.unpack(messages.pack(header)) == header
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A source tree of its own, to be changed at will."""
    copy = tmp_path / "checkout"
    shutil.copytree(CHECKOUT / "plugins", copy / "plugins")
    shutil.copy(CHECKOUT / "LICENSE", copy)
    return copy


def tree(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_krita_finds_the_plugin_where_it_looks(tmp_path: Path):
    pykrita = copying.install_krita(CHECKOUT, tmp_path / "krita", MSGPACK)
    assert pykrita == tmp_path / "krita" / "pykrita"
    assert sorted(path.name for path in pykrita.iterdir()) == sorted(copying.KRITA_PARTS)
    assert (pykrita / "dreamlayer_krita" / "__init__.py").is_file()
    assert list(pykrita.glob("dreamlayer_krita/*.action"))


def test_gimp_finds_an_executable_of_its_folders_name(tmp_path: Path):
    plugins = copying.install_gimp(CHECKOUT, tmp_path / "3.0", MSGPACK)
    script = plugins / "dreamlayer-gimp" / "dreamlayer-gimp.py"
    assert script.read_bytes().startswith(b"#!")
    assert os.access(script, os.X_OK)
    assert {path.name for path in script.parent.iterdir()} >= {"dreamlayer_gimp", "dreamlink"}


def test_the_presets_thumbnails_come_along(tmp_path: Path):
    krita = copying.install_krita(CHECKOUT, tmp_path, MSGPACK)
    gimp = copying.install_gimp(CHECKOUT, tmp_path / "3.0", MSGPACK)
    for link in (krita / LINK, gimp / "dreamlayer-gimp" / "dreamlink"):
        assert (link / "recipe" / "thumbnails" / "animals.jpg").read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize("host", ["krita", "gimp"])
def test_the_link_runs_in_a_python_without_any_packages(tmp_path: Path, host: str):
    if host == "krita":
        path = copying.install_krita(CHECKOUT, tmp_path, MSGPACK) / copying.KRITA_LIBRARIES
    else:
        path = copying.install_gimp(CHECKOUT, tmp_path, MSGPACK) / "dreamlayer-gimp"
    argv = [sys.executable, "-I", "-S", "-c", ROUND_TRIP, str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_licences_of_what_is_copied_come_along(tmp_path: Path):
    link = copying.install_krita(CHECKOUT, tmp_path, MSGPACK) / LINK
    assert "MIT" in (link / "LICENSE").read_text()
    assert "Apache" in (link / "_vendor" / "msgpack" / "COPYING").read_text()


def test_a_new_copy_leaves_nothing_of_the_old_one(tmp_path: Path, checkout: Path):
    (checkout / "plugins/krita/dreamlayer_krita/old.py").touch()
    pykrita = copying.install_krita(checkout, tmp_path, MSGPACK)
    (pykrita / LINK / "__pycache__").mkdir()
    (pykrita / ".dreamlayer-killed" / "new").mkdir(parents=True)
    (checkout / "plugins/krita/dreamlayer_krita/old.py").unlink()
    (checkout / "plugins/krita/dreamlayer_krita/__init__.py").write_text("new = True\n")
    copying.install_krita(checkout, tmp_path, MSGPACK)
    assert sorted(path.name for path in pykrita.iterdir()) == sorted(copying.KRITA_PARTS)
    assert not (pykrita / "dreamlayer_krita" / "old.py").exists()
    assert not (pykrita / LINK / "__pycache__").exists()
    assert (pykrita / "dreamlayer_krita" / "__init__.py").read_text() == "new = True\n"


def test_what_older_versions_and_krita_s_importer_put_elsewhere_is_replaced(tmp_path: Path):
    """Krita would take the importer's copy of the actions, and not the plug-in's newer one."""
    older = [tmp_path / "pykrita/dreamlink/client.py", tmp_path / "actions/dreamlayer_krita.action"]
    theirs = tmp_path / "actions/other.action"
    for path in (*older, theirs):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert set(copying.KRITA_OBSOLETE) <= set(
        copying.krita_differences(CHECKOUT, tmp_path, MSGPACK)
    )
    copying.install_krita(CHECKOUT, tmp_path, MSGPACK)
    assert not any(path.exists() for path in older)
    assert copying.krita_differences(CHECKOUT, tmp_path, MSGPACK) == []
    older[1].touch()
    assert copying.remove_krita(tmp_path)
    assert tree(tmp_path) == {"actions/other.action": b""}


def test_krita_s_plugin_finds_its_own_libraries_before_others(tmp_path: Path):
    pykrita = copying.install_krita(CHECKOUT, tmp_path, MSGPACK)
    (pykrita / "dreamlink").mkdir()
    (pykrita / "dreamlink" / "__init__.py").write_text("raise AssertionError('an older one')")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import dreamlayer_krita, dreamlink;"
        "print(dreamlink.__file__)"
    )
    argv = [sys.executable, "-I", "-S", "-c", code, str(pykrita)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent == pykrita / LINK


def test_what_python_compiled_is_not_copied(tmp_path: Path, checkout: Path):
    cache = checkout / "plugins/link/dreamlink/__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "x.pyc").touch()
    copying.install_gimp(checkout, tmp_path, MSGPACK)
    assert not list(tmp_path.glob("plug-ins/**/__pycache__"))


def test_a_source_tree_under_a_folder_called_pycache_is_copied_all_the_same(
    tmp_path: Path, checkout: Path
):
    odd = tmp_path / "__pycache__" / "checkout"
    shutil.move(checkout, odd)
    copying.install_krita(odd, tmp_path / "k", MSGPACK)
    assert copying.krita_differences(CHECKOUT, tmp_path / "k", MSGPACK) == []


def test_an_incomplete_source_tree_leaves_the_installed_plugin_alone(
    tmp_path: Path, checkout: Path
):
    copying.install_gimp(checkout, tmp_path, MSGPACK)
    before = tree(tmp_path / "plug-ins")
    shutil.rmtree(checkout / "plugins" / "link")
    with pytest.raises(InstallError, match=r"missing: .*dreamlink"):
        copying.install_gimp(checkout, tmp_path, MSGPACK)
    assert tree(tmp_path / "plug-ins") == before


def test_a_link_to_a_source_tree_is_replaced_and_its_target_left_alone(
    tmp_path: Path, checkout: Path
):
    theirs = checkout / "plugins" / "krita" / "dreamlayer_krita"
    before = tree(theirs)
    pykrita = tmp_path / "pykrita"
    pykrita.mkdir()
    (pykrita / "dreamlayer_krita").symlink_to(theirs)
    copying.install_krita(CHECKOUT, tmp_path, MSGPACK)
    assert not (pykrita / "dreamlayer_krita").is_symlink()
    assert tree(theirs) == before


def test_a_link_to_nowhere_is_replaced(tmp_path: Path):
    (tmp_path / "plug-ins").mkdir()
    (tmp_path / "plug-ins" / "dreamlayer-gimp").symlink_to(tmp_path / "gone")
    copying.install_gimp(CHECKOUT, tmp_path, MSGPACK)
    assert copying.gimp_differences(CHECKOUT, tmp_path, MSGPACK) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "pykrita").write_text("a file")
    with pytest.raises(InstallError, match=r"pykrita can't be changed .* run install\.py again\.$"):
        copying.install_krita(CHECKOUT, tmp_path, MSGPACK)


def test_differences_are_told_by_name(tmp_path: Path):
    assert "dreamlayer-gimp/dreamlayer-gimp.py" in copying.gimp_differences(
        CHECKOUT, tmp_path, MSGPACK
    )
    plugin = copying.install_gimp(CHECKOUT, tmp_path, MSGPACK) / "dreamlayer-gimp"
    assert copying.gimp_differences(CHECKOUT, tmp_path, MSGPACK) == []
    (plugin / "dreamlink" / "recipe" / "recipe.py").write_text("")
    (plugin / "dreamlink" / "wire" / "zmtp.py").unlink()
    (plugin / "surplus.py").touch()
    (plugin / "dreamlayer-gimp.py").chmod(0o644)
    assert copying.gimp_differences(CHECKOUT, tmp_path, MSGPACK) == [
        "dreamlayer-gimp/dreamlayer-gimp.py",
        "dreamlayer-gimp/dreamlink/recipe/recipe.py",
        "dreamlayer-gimp/dreamlink/wire/zmtp.py",
        "dreamlayer-gimp/surplus.py",
    ]


def test_windows_has_no_execute_bit_that_could_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plugin = copying.install_gimp(CHECKOUT, tmp_path, MSGPACK) / "dreamlayer-gimp"
    (plugin / "dreamlayer-gimp.py").chmod(0o644)  # as Windows reports every file
    monkeypatch.setattr(copying, "EXECUTE_BITS", False)
    assert copying.gimp_differences(CHECKOUT, tmp_path, MSGPACK) == []


def test_foreign_plugins_do_not_count_as_differences(tmp_path: Path):
    pykrita = copying.install_krita(CHECKOUT, tmp_path, MSGPACK)
    (pykrita / "foreign.desktop").touch()
    assert copying.krita_differences(CHECKOUT, tmp_path, MSGPACK) == []


def test_removing_takes_our_files_and_only_them(tmp_path: Path):
    krita, gimp = tmp_path / "krita", tmp_path / "3.0"
    for theirs in (krita / "pykrita/other/__init__.py", gimp / "plug-ins/other/other.py"):
        theirs.parent.mkdir(parents=True)
        theirs.write_text("theirs")
    (krita / "pykrita/other.desktop").touch()
    before = tree(tmp_path)
    copying.install_krita(CHECKOUT, krita, MSGPACK)
    copying.install_gimp(CHECKOUT, gimp, MSGPACK)
    assert copying.remove_krita(krita)
    assert copying.remove_gimp(gimp)
    assert tree(tmp_path) == before
    assert not copying.remove_krita(krita)
    assert not copying.remove_gimp(gimp)


def test_folders_that_were_made_for_us_go_with_us(tmp_path: Path):
    copying.install_gimp(CHECKOUT, tmp_path / "GIMP" / "3.2", MSGPACK)
    copying.remove_gimp(tmp_path / "GIMP" / "3.2")
    assert list((tmp_path / "GIMP").iterdir()) == []
