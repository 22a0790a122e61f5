"""`dreamlayer doctor`: check whether Dreamlayer works here, and say what to do if not."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamlayer.daemon_client import CommandError

if TYPE_CHECKING:
    from dreamlayer.doctor.findings import Finding

WIDTH = 88  # characters
MARKS = {"ok": "ok     ", "warning": "warning", "wrong": "wrong  "}
LOG_LINES = 60  # in a report
DESCRIPTION = (
    "Check everything that Dreamlayer needs, dream a small test dream, and say what to do about"
    " problems. The exit status is 0 unless something is wrong."
)


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    doctor = commands.add_parser(
        "doctor",
        help="check whether everything works, and say what to do if not",
        description=DESCRIPTION,
    )
    doctor.set_defaults(run=_run)
    doctor.add_argument(
        "--report", metavar="FILE", type=Path,
        help="also write everything into a text file for a bug report, without your names, folders"
        " or pictures",
    )  # fmt: skip


def _run(arguments: argparse.Namespace) -> None:
    if arguments.report is not None:
        arguments.report = arguments.report.absolute()
    _leave_deleted_folder()
    findings = []
    for finding in _checks():
        findings.append(finding)
        print(_line(finding), flush=True)
    wrong = sum(finding.level == "wrong" for finding in findings)
    warned = sum(finding.level == "warning" for finding in findings)
    if arguments.report is not None:
        report = _report(findings)
        arguments.report.write_text(report, encoding="utf-8", errors="backslashreplace")
        print(f"The report is in {arguments.report}. Please read it before you send it.")
    if wrong:
        verb = "is" if wrong == 1 else "are"
        raise CommandError(f"{wrong} of {len(findings)} things {verb} wrong: see above.")
    print("All is well." if not warned else "Dreamlayer works, but see the warnings above.")


def _leave_deleted_folder() -> None:
    """PyTorch's libraries end the process if its current folder does not exist any more."""
    try:
        Path.cwd()
    except FileNotFoundError:
        os.chdir(sys.prefix)


def _checks() -> Iterator[Finding]:
    from dreamlayer.doctor import home, machine, plugins, service
    from dreamlayer.doctor.findings import safely

    yield from safely("Machine", machine.check)
    yield from safely("Folder", home.check)
    yield from safely("Plug-ins", plugins.check)
    yield from safely("Daemon", service.check)


def _line(finding: Finding) -> str:
    first = f"{MARKS[finding.level]} {finding.text}"
    if not finding.remedy:
        return first
    remedy = textwrap.fill(
        finding.remedy, WIDTH, initial_indent="     →  ", subsequent_indent=" " * 8,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return f"{first}\n{remedy}"


def _report(findings: list[Finding]) -> str:
    """The report for a bug report: findings, and the last lines of the logs."""
    from dreamlayer.doctor import plugins, service
    from dreamlayer.doctor.anonymous import anonymous
    from dreamlink import VERSION
    from dreamlink.client import discovery

    parts = [f"Dreamlayer {VERSION}", "\n".join(map(_line, findings))]
    with contextlib.suppress(discovery.NoFolder):
        log = discovery.daemon_folder() / discovery.LOG_FILE
        for path in (log, discovery.home() / discovery.SAID_FILE):
            lines = service.tail(path, LOG_LINES)
            parts.append("\n".join([f"The last {len(lines)} lines of {path.name}:", *lines]))
    return anonymous("\n\n".join(parts) + "\n", plugins.folders())
