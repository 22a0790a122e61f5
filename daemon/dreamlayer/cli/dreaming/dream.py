"""`dreamlayer dream`: dream on picture files."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dreamlayer.cli.dreaming import options
from dreamlayer.daemon_client import CommandError, daemon

if TYPE_CHECKING:
    from pathlib import Path

    from dreamlayer.dreaming.file_job import FileJob
    from dreamlayer.dreaming.in_turn import UnderWay
    from dreamlayer.dreaming.order import DreamOrder


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    options.add(commands, run)


def run(arguments: argparse.Namespace) -> int:
    """Dream on the pictures as the options say, write the results; returns the exit status."""
    from dreamlayer.cli.ending import ended_in_order
    from dreamlayer.files.memory import told

    with ended_in_order(), told("this dream"):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from dreamlayer.cli.dreaming import batch, choice, finding, report
    from dreamlayer.dreaming import output_names
    from dreamlayer.files.output import format_of

    many = finding.is_batch(arguments.inputs)
    inputs = finding.find(arguments.inputs)
    outputs = output_names.names(arguments.output, inputs)
    for output in outputs:
        format_of(output)
    order, notes = choice.order_of(arguments)
    if output_names.is_template(arguments.output):
        output_names.make_folders(outputs)
    pairs = list(zip(inputs, outputs, strict=True))
    if arguments.skip_existing:
        pairs = [pair for pair in pairs if not pair[1].exists()]
    report.tell(notes)
    if many:
        return batch.run(order, pairs, skipped=len(inputs) - len(pairs), as_json=arguments.json)
    for path, output in pairs:
        _dream_on(order, path, output, as_json=arguments.json)
    return 0


def _dream_on(order: DreamOrder, path: Path, output: Path, *, as_json: bool) -> None:
    """Dream on one picture; what goes wrong is an error of the command."""
    from dreamlayer.cli.dreaming import report
    from dreamlayer.cli.dreaming.bar import ProgressBar
    from dreamlayer.dreaming.file_job import FileJob
    from dreamlayer.dreaming.in_turn import in_turn

    def watch(under_way: Sequence[UnderWay[FileJob]]) -> None:
        for one in under_way:
            bar.show(one.fraction, one.text)

    jobs = [FileJob(order, path, output, report.tell)]
    with ProgressBar(1) as bar, contextlib.closing(in_turn(jobs, daemon, watch)) as dreams:
        for job, dream in dreams:
            if isinstance(dream, Exception):
                raise dream
            if dream.pixels is None:
                raise CommandError(dream.text)
            stored = job.finish(dream)
            line = report.line(dream.report, output)
            if as_json:
                line = json.dumps(report.described(dream.report, stored, output))
    print(line)
