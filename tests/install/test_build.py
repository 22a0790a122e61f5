"""The archives: what is in them, for whom, and the same bytes each time."""

from __future__ import annotations

import configparser
import hashlib
import io
import json
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from dreamlink import VERSION
from install.archives import (
    commands,
    contents,
    licences,
    packing,
    sources,
    systems,
    wheelhouse,
    wheels,
)
from install.archives.packing import PackedFile
from install.archives.tools import BUILDING, CROSS, PARTS, Tools
from install.builds.table import BUILDS
from install.environment import Environment
from install.errors import InstallError
from install.hosts import copying

CHECKOUT = Path(__file__).parents[2]
IGNORED = re.compile(
    r"(^|/)(__pycache__|build|dist|\.[a-z]+_cache|\.hypothesis|\.venv)/|\.pyc$|\.so$"
)
WHERE = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.org")

pytestmark = pytest.mark.slow


def git(folder: Path, *arguments: str) -> None:
    subprocess.run([*GIT, "-C", str(folder), *arguments], check=True, capture_output=True)


@dataclass
class Built:
    """A git checkout of the present sources, and the archives made of it twice."""

    checkout: Path
    out: Path
    again: Path

    def archive(self, name: str) -> dict[str, PackedFile]:
        """The files of an archive; the name is without `dreamlayer-VERSION`."""
        path = self.out / f"dreamlayer-{VERSION}{name}"
        return of_tar(path.read_bytes()) if name.endswith(".gz") else of_zip(path.read_bytes())

    def everything(self) -> dict[str, PackedFile]:
        if WHERE != "linux":
            return self.archive(f"-{WHERE}.zip")
        files = self.archive("-linux.tar.gz")
        return {path.removeprefix(f"dreamlayer-{VERSION}/"): file for path, file in files.items()}


def of_zip(data: bytes) -> dict[str, PackedFile]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {
            info.filename: PackedFile(
                archive.read(info), bool(info.external_attr >> 16 & stat.S_IXUSR)
            )
            for info in archive.infolist()
            if not info.is_dir()
        }


def of_tar(data: bytes) -> dict[str, PackedFile]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {}
        for member in archive:
            if content := archive.extractfile(member) if member.isfile() else None:
                files[member.name] = PackedFile(content.read(), bool(member.mode & stat.S_IXUSR))
        return files


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    if not (CHECKOUT / ".git").exists():
        pytest.skip("archives are made from a git checkout")
    folder = tmp_path_factory.mktemp("archives")
    checkout = folder / "checkout"
    packing.write_folder(checkout, sources.read(CHECKOUT, dirty=True).files)
    git(folder, "init", "-q", str(checkout))
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "All", "--date", "2026-11-01T12:00:00Z")
    built = Built(checkout, folder / "out", folder / "again")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXX", "no-such-compiler")  # half a minute less; the wheel is for any system
        for place in (built.out, built.again):
            options = ["--targets", "native", "--out", str(place)]
            assert commands.main(checkout, options) == 0
            shutil.rmtree(checkout / "daemon" / "dreamlayer" / "__pycache__", ignore_errors=True)
            (checkout / "README.md").touch()  # times of files don't count
    return built


def test_two_runs_make_the_same_bytes(built: Built):
    first, second = packing.read_folder(built.out), packing.read_folder(built.again)
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []


def test_the_sums_are_those_of_all_archives(built: Built):
    lines = (built.out / "SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    files = [path for path in built.out.iterdir() if path.name != "SHA256SUMS"]
    assert listed == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert len(listed) == 6  # wheel, sources, licences, everything, Krita, GIMP


def test_paths_stay_inside_and_no_ignored_file_is_there(built: Built):
    archives = [path for path in built.out.iterdir() if path.suffix in (".zip", ".gz", ".whl")]
    assert len(archives) == 5
    for path in archives:
        data = path.read_bytes()
        files = of_tar(data) if path.suffix == ".gz" else of_zip(data)
        assert files
        for name in files:
            assert not name.startswith("/") and "\\" not in name and ":" not in name, name
            assert ".." not in PurePosixPath(name).parts, name
            assert not IGNORED.search(name), (path.name, name)


def test_everything_has_what_the_installer_needs(built: Built):
    files = built.everything()
    system = next(system for system in systems.SYSTEMS if system.name == WHERE)
    (wheel,) = built.out.glob("*.whl")
    assert files[f"wheels/{wheel.name}"].data == wheel.read_bytes()
    assert files[f"install/uv/{system.uv_program}"].is_program
    assert {"install/uv/LICENSE-MIT", "install/uv/LICENSE-APACHE"} <= set(files)
    assert files[system.script] == PackedFile(files[f"install/{system.script}"].data, True)
    for name in ("install/install.py", "pyproject.toml", "LICENSE", "tests/pictures/peaks.jpg"):
        assert files[name].data == (built.checkout / name).read_bytes()
    assert not [name for name in files if name.startswith(("tests/engine", "install/archives"))]


def test_the_installer_of_the_archive_runs_from_it(built: Built, tmp_path: Path):
    packing.write_folder(tmp_path / "unpacked", built.everything())
    for home in ("home", "data"):
        (tmp_path / home).mkdir()
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "unpacked" / "install" / "install.py"), "--check"],
        env={"HOME": str(tmp_path / "home"), "DREAMLAYER_HOME": str(tmp_path / "data"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "not installed" in done.stdout + done.stderr, done.stderr


def test_krita_s_importer_finds_the_module_and_all_is_in_it(built: Built):
    """As Krita's plugin_importer.py searches: by the folder's own entry in the archive."""
    path = built.out / f"dreamlayer-{VERSION}-krita-{WHERE}.zip"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        desktop = [name for name in names if name.endswith(".desktop")]
        config = configparser.ConfigParser()
        config.read_string(archive.read(desktop[0]).decode("utf-8"))
    module = config["Desktop Entry"]["X-KDE-Library"]
    folders = [name for name in names if name.endswith(f"/{module}/") or name == f"{module}/"]
    assert len(desktop) == 1 and folders == [f"{module}/"]
    taken = [*desktop, f"actions/{module}.action"]
    assert {f"{module}/__init__.py", *taken} <= set(names)
    others = [name for name in names if name not in (*taken, "actions/")]
    assert all(name.startswith(f"{module}/") for name in others)


@pytest.mark.parametrize("host", ["krita", "gimp"])
def test_a_plugin_s_zip_is_what_the_installer_installs_and_the_setup(
    built: Built, host: str, tmp_path: Path
):
    """install.py then finds that the plug-in is current, but for what only the zip has."""
    files = built.archive(f"-{host}-{WHERE}.zip")
    module = "dreamlayer_krita" if host == "krita" else "dreamlayer-gimp"
    installed = dict(files)
    if action := installed.pop(f"actions/{module}.action", None):
        installed[f"{module}/{module}.action"] = action
    packing.write_folder(tmp_path / ("pykrita" if host == "krita" else "plug-ins"), installed)
    packing.write_folder(tmp_path / "parts", msgpack_files(built))
    differences = copying.krita_differences if host == "krita" else copying.gimp_differences
    surplus = {f"{module}/setup.zip", f"{module}/licences.spdx.json"}
    assert set(differences(built.checkout, tmp_path, tmp_path / "parts" / "msgpack")) == surplus
    everything = built.everything()
    assert of_zip(files[f"{module}/setup.zip"].data) == everything
    if host == "gimp":
        assert files[f"{module}/{copying.GIMP_SCRIPT}"].is_program


def msgpack_files(built: Built) -> dict[str, PackedFile]:
    return Tools(Environment(built.checkout / commands.ENVIRONMENT)).part(
        "msgpack", "manylinux_2_17_x86_64"
    )


def test_the_list_of_licences_is_well_formed_and_in_every_archive(built: Built):
    listed = (built.out / f"dreamlayer-{VERSION}.licences.spdx.json").read_bytes()
    document = json.loads(listed)
    assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"])
    packages = {package["SPDXID"]: package for package in document["packages"]}
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in packages)
    for package in packages.values():
        assert {"name", "downloadLocation", "licenseDeclared", "copyrightText"} <= set(package)
    named = {one["relatedSpdxElement"] for one in document["relationships"]}
    assert named == set(packages)
    words = {
        word
        for package in packages.values()
        for word in re.split(r" AND | OR ", package["licenseDeclared"])
    }
    runtime = "Apache-2.0 WITH LLVM-exception"
    assert words == {"MIT", "Apache-2.0", "BSD-2-Clause", "CC-BY-4.0", runtime}
    assert built.everything()["licences.spdx.json"].data == listed
    for host, folder in (("krita", "dreamlayer_krita"), ("gimp", "dreamlayer-gimp")):
        files = built.archive(f"-{host}-{WHERE}.zip")
        assert files[f"{folder}/licences.spdx.json"].data == listed


def test_what_is_not_committed_is_refused_or_taken_along_on_request(built: Built):
    new = built.checkout / "docs" / "new.md"
    ignored = built.checkout / "docs" / "__pycache__" / "x.pyc"
    try:
        new.write_text("new")
        ignored.parent.mkdir()
        ignored.touch()
        with pytest.raises(InstallError, match=r"not committed \(\?\? docs/new\.md\).*--dirty"):
            sources.read(built.checkout)
        files = sources.read(built.checkout, dirty=True).files
        assert files["docs/new.md"].data == b"new"
        assert not [name for name in files if name.endswith(".pyc")]
    finally:
        new.unlink()
        shutil.rmtree(ignored.parent)
    assert sources.read(built.checkout).seconds == sources.read(built.checkout, dirty=True).seconds


def test_an_archive_without_its_start_script_is_refused():
    nothing = contents.Ingredients(sources.Sources("", 0, {}), {}, PackedFile(b""))
    with pytest.raises(InstallError, match=r"install/install\.sh is missing"):
        contents.everything(nothing, systems.SYSTEMS[-1], [], {})


def test_a_folder_without_git_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(InstallError, match="made from a git checkout"):
        sources.read(tmp_path)


def test_a_wheel_for_another_system_than_asked_is_an_error(built: Built, monkeypatch, tmp_path):
    def build(builder: wheels.Builder, kind: str, place: Path, changes: dict[str, str]) -> None:
        assert changes == {"DREAMLAYER_KERNEL_TARGET": "win_amd64"}
        place.mkdir()
        (place / made).touch()

    monkeypatch.setattr(wheels.Builder, "_hatchling", build)
    builder = wheels.Builder(Tools(Environment(tmp_path)), tmp_path, 0)
    made = "dreamlayer-0.1.0-py3-none-linux_x86_64.whl"
    with pytest.raises(InstallError, match=r"for win_amd64 came out as .*linux_x86_64"):
        builder.wheel("win_amd64", tmp_path)
    shutil.rmtree(tmp_path / "win_amd64")
    made = "dreamlayer-0.1.0-py3-none-win_amd64.whl"
    assert builder.wheel("win_amd64", tmp_path).name == made


def test_a_wheel_may_name_several_platforms():
    name = "x-1-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    assert "manylinux_2_17_x86_64" in wheels.platforms(Path(name))


def test_every_system_gets_its_own_wheels_and_an_unknown_one_is_refused():
    wanted = systems.wanted(systems.TARGETS)
    assert {system.name: own for system, own in wanted.items()} == {
        "windows": ("win_amd64",),
        "macos": ("macosx_11_0_arm64",),
        "linux": ("manylinux_2_17_x86_64", "manylinux_2_17_aarch64"),
    }
    with pytest.raises(InstallError, match="no target win32: choose from native, win_amd64"):
        systems.wanted(["win32"])


def test_pins_of_the_tools_are_the_project_s():
    project = (CHECKOUT / "pyproject.toml").read_text()
    pinned = dict(re.findall(r'"(hatchling|msgpack|ziglang)==([\d.]+)"', project))
    assert f"hatchling=={pinned['hatchling']} " in BUILDING.read_text()
    assert f"msgpack=={pinned['msgpack']} " in PARTS.read_text()
    assert f"ziglang=={pinned['ziglang']} " in CROSS.read_text()


def test_a_part_whose_hash_is_another_is_refused(built: Built, monkeypatch, tmp_path: Path):
    wrong = tmp_path / "parts.txt"
    wrong.write_text(re.sub(r"sha256:\w+", f"sha256:{'0' * 64}", PARTS.read_text()))
    monkeypatch.setattr("install.archives.tools.PARTS", wrong)
    with pytest.raises(InstallError, match="pip failed"):
        msgpack_files(built)


def test_an_archive_s_entries_have_fixed_times_modes_and_order():
    files = {"b/run": PackedFile(b"1", True), "a.txt": PackedFile(b"2")}
    with zipfile.ZipFile(io.BytesIO(packing.zip_of(files, 1_700_000_000))) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == ["a.txt", "b/", "b/run"]
    assert {entry.date_time for entry in entries} == {(2023, 11, 14, 22, 13, 20)}
    modes = [stat.filemode(entry.external_attr >> 16) for entry in entries]
    assert modes == ["-rw-r--r--", "drwxr-xr-x", "-rwxr-xr-x"]
    assert of_tar(packing.tar_of(files, 1)) == files


def test_a_wheelhouse_is_all_that_an_installation_needs(stub_index, tmp_path: Path):
    stub_index.add("simple", "dreamlayer", "1")
    (wheel,) = (stub_index.folder / "simple" / "dreamlayer").glob("*.whl")
    tools = Tools(Environment(Path(sys.prefix)))
    stub_index.lock(tmp_path)
    pins = '[project]\ndependencies = [\n    "torch==2.13.0",\n    "torchvision==0.28.0",\n]\n'
    (tmp_path / "pyproject.toml").write_text(pins)
    wheelhouse.fill(tmp_path / "house", tmp_path, wheel, tools, BUILDS["cpu"])
    names = sorted(path.name for path in (tmp_path / "house").iterdir())
    assert [name.partition("-py3")[0] for name in names] == [
        "dreamlayer-1", "sums-1.0", "tools-1.0", "torch-2.13.0+cpu", "torchvision-0.28.0+cpu",
    ]  # fmt: skip
    with pytest.raises(InstallError, match=r"no list of packages for PyTorch for ROCm 7\.2"):
        wheelhouse.fill(tmp_path, tmp_path, wheel, tools, BUILDS["rocm7.2"])


def test_the_versions_in_the_list_of_licences_are_those_that_are_shipped():
    listed = {part.name: part.version for part in licences.parts("1", "2", "3", "4")}
    named = ("Dreamlayer", "uv", "msgpack", "Zig-runtime")
    assert tuple(listed[name] for name in named) == ("1", "2", "3", "4")
