"""Making the archives from end to end, as a person at a terminal sees it."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dreamlink import VERSION
from install.archives import contents, licences, packing, sources, systems, tools, wheelhouse
from install.archives.packing import Files, PackedFile
from install.archives.systems import TargetSystem
from install.archives.wheels import Builder
from install.builds.table import BUILDS, CPU
from install.errors import InstallError

ENVIRONMENT = Path("build", "archives")  # git ignores both
OUTPUT = Path("dist")


def main(checkout: Path, arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    options = _options(arguments)
    try:
        if options.wheelhouse:
            _fill(checkout, options)
        else:
            _make(checkout, options)
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="build.py", description="Make the archives that people download."
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, help=f"instead of {OUTPUT}/")
    parser.add_argument(
        "--targets",
        default=",".join(systems.TARGETS),
        help=f"the wheels to build, with commas between them; {systems.NATIVE}: one for this"
        " computer only. A system gets archives if one of its wheels is built",
    )
    parser.add_argument(
        "--dirty", action="store_true", help="with what is not committed, instead of refusing"
    )
    parser.add_argument(
        "--wheelhouse",
        metavar="FOLDER",
        type=Path,
        help="instead of archives, a folder with all packages for an installation without network",
    )
    parser.add_argument(
        "--device",
        default=CPU.name,
        choices=tuple(BUILDS),
        help="the wheelhouse's build of PyTorch; it is for this system and this version of Python",
    )
    return parser.parse_args(arguments)


def _fill(checkout: Path, options: argparse.Namespace) -> None:
    found = sources.read(checkout, options.dirty)
    prepared = tools.Tools.prepare(checkout / ENVIRONMENT, cross=False)
    with tempfile.TemporaryDirectory() as work:
        builder = Builder.of(found, prepared, Path(work, "tree"))
        wheel = builder.wheel(systems.NATIVE, Path(work))
        wheelhouse.fill(options.wheelhouse, checkout, wheel, prepared, BUILDS[options.device])
    print(f"\n{options.wheelhouse} has all packages for an installation without network.")


def _make(checkout: Path, options: argparse.Namespace) -> None:
    targets = [target for target in options.targets.split(",") if target]
    wanted = systems.wanted(targets)
    found = sources.read(checkout, options.dirty)
    prepared = tools.Tools.prepare(checkout / ENVIRONMENT, cross=set(targets) != {systems.NATIVE})
    out: Path = options.out or checkout / OUTPUT
    out.mkdir(parents=True, exist_ok=True)
    made: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as work:
        builder = Builder.of(found, prepared, Path(work, "tree"))
        archive = builder.source_archive(Path(work))
        made[archive.name] = archive.read_bytes()
        ingredients = _ingredients(found, prepared)
        made[f"dreamlayer-{VERSION}.{contents.LICENCES}"] = ingredients.licences.data
        for system, own in wanted.items():
            wheels = [builder.wheel(target, Path(work)) for target in own]
            made |= {wheel.name: wheel.read_bytes() for wheel in wheels}
            uv = prepared.part("uv", system.uv)
            everything = contents.everything(ingredients, system, wheels, uv)
            made |= _archives(ingredients, system, everything)
    for name, data in made.items():
        (out / name).write_bytes(data)
    (out / "SHA256SUMS").write_text(packing.checksums(out / name for name in made), "utf-8")
    for name, data in sorted(made.items()):
        print(f"{len(data) / 1e6:7.1f} MB  {name}")
    print(f"\nThe archives are in {out}.")


def _ingredients(found: sources.Sources, prepared: tools.Tools) -> contents.Ingredients:
    msgpack = prepared.part("msgpack", "manylinux_2_17_x86_64")
    lists = (tools.PARTS, tools.CROSS)
    pinned = "\n".join(path.read_text(encoding="utf-8") for path in lists)
    versions = dict(re.findall(r"^(\w+)==([\w.]+)", pinned, re.MULTILINE))
    named = (versions[name] for name in ("uv", "msgpack", "ziglang"))
    shipped = licences.parts(VERSION, *named)
    listed = licences.document(found, VERSION, shipped)
    return contents.Ingredients(found, msgpack, PackedFile(listed))


def _archives(
    ingredients: contents.Ingredients, system: TargetSystem, everything: Files
) -> dict[str, bytes]:
    """The archives of a system: of everything, for Krita, for GIMP."""
    seconds, name = ingredients.sources.seconds, f"dreamlayer-{VERSION}"
    setup = packing.zip_of(everything, seconds)
    plugins = {"krita": contents.krita, "gimp": contents.gimp}
    made = {
        f"{name}-{host}-{system.name}.zip": packing.zip_of(plugin(ingredients, setup), seconds)
        for host, plugin in plugins.items()
    }
    if system.name == "linux":  # where tar keeps modes, and archives have a folder on top
        made[f"{name}-linux.tar.gz"] = packing.tar_of(packing.below(name, everything), seconds)
    else:
        made[f"{name}-{system.name}.zip"] = setup
    return made
