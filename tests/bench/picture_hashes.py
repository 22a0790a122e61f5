"""Whether pictures stay the same to the last bit: small dreams of every kind, as hashes.

python -m tests.bench.picture_hashes [-o FILE] [--against FILE] [--only SUBSTRING] [--list]

Run it before and after a change that is to change no picture, on the same machine: each line is a
name and the SHA-256 of what was dreamed. Another machine, or another torch, may round otherwise.
With --against it tells which names differ from a list made earlier; the exit status tells whether
any does. The hash of what could not be dreamed is "-", and standard error says why.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.hashed.asking import FAILED, SHORT, Case, Line, engines
from tests.bench.hashed.cases import cases
from tests.bench.hashed.command_line import FileCase, daemon, file_cases, put_pictures
from tests.bench.hashed.project import PARAMETERS

AnyCase = Case | FileCase


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the list here too")
    parser.add_argument("--against", type=Path, metavar="FILE", help="a list made earlier")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="cases with this in a name")
    parser.add_argument("--list", action="store_true", help="only say which cases there are")
    arguments = parser.parse_args()
    _check()
    every: list[AnyCase] = [*cases(), *file_cases()]
    chosen = [case for case in every if arguments.only in case.name]
    if arguments.list:
        print(*(case.name for case in chosen), sep="\n")
        return
    before = _read(arguments.against) if arguments.against else None
    began, found = time.monotonic(), dict(_hashed(chosen))
    print(
        f"{len(chosen)} cases, {len(found)} hashes, {time.monotonic() - began:.0f} s",
        file=sys.stderr,
    )
    if arguments.output:
        lines = (f"{name} {value}\n" for name, value in found.items())
        arguments.output.write_text("".join(lines), encoding="utf-8")
    if before is not None:
        sys.exit(_compared(before, found, arguments.only))


def _check() -> None:
    """See that each parameter of the recipe is one that some case changes, each name one case's."""
    asked = list(cases())
    told: dict[str, set[object]] = {name: set() for name in PARAMETERS}
    for case in asked:
        for values in (SHORT, case.recipe, *case.blends):
            for name, value in values.items():
                told[name].add(value)
    missing = [name for name, row in PARAMETERS.items() if not told[name] - {row.default}]
    if missing:
        sys.exit(f"No case has another {', '.join(missing)} than the default: add one.")
    names = [case.name for case in asked] + [case.name for case in file_cases()]
    if len(set(names)) < len(names):
        sys.exit("Two cases have the same name.")


def _hashed(chosen: Sequence[AnyCase]) -> Iterator[Line]:
    """Dream all of them, and print each hash as soon as it is known."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DREAMLAYER_HOME"] = str(folder / "studio")
        (folder / "studio").mkdir()
        files = [case for case in chosen if isinstance(case, FileCase)]
        if len(files) < len(chosen):
            print(engines(), file=sys.stderr)
        put_pictures(folder)
        with daemon(folder) if files else contextlib.nullcontext():
            for case in chosen:
                for line in _lines(case.inside(folder) if isinstance(case, FileCase) else case):
                    print(*line, flush=True)
                    yield line


def _lines(case: AnyCase) -> Iterator[Line]:
    try:
        yield from case.lines()
    except ValueError as error:
        print(f"{case.name}: {error}", file=sys.stderr)
        yield case.name, FAILED


def _read(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = (line.rpartition(" ") for line in lines)
    return {name: value for name, _, value in found}


def _compared(before: dict[str, str], found: dict[str, str], only: str) -> int:
    """Say which names differ, or are in one of the lists only; 1 if any does."""
    before = {name: value for name, value in before.items() if only in name.partition("/")[0]}
    differ = 0
    for name in dict.fromkeys([*before, *found]):
        if before.get(name) != found.get(name):
            how = "is new" if name not in before else "is gone" if name not in found else "differs"
            print(f"{name} {how}", file=sys.stderr)
            differ += 1
    print(f"{differ} of {len({**before, **found})} differ.", file=sys.stderr)
    return int(differ > 0)


if __name__ == "__main__":
    main()
