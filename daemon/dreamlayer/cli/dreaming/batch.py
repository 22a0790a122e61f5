"""Many pictures in one command: one bar, one summary, and what went wrong at the end."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from dreamlayer.cli.dreaming import report
from dreamlayer.cli.dreaming.bar import ProgressBar
from dreamlayer.daemon_client import daemon
from dreamlayer.dreaming.file_job import FileJob
from dreamlayer.dreaming.in_turn import UnderWay, in_turn
from dreamlayer.dreaming.order import DreamOrder
from dreamlink.session.dream import Dream, duration

NAMED = 3  # pictures that a sentence about several of them names
Sentences = dict[str, list[Path]]  # each with the pictures that it is about


def run(
    order: DreamOrder, pairs: Sequence[tuple[Path, Path]], *, skipped: int, as_json: bool
) -> int:
    """Dream on pictures one after another, each written when it is done.

    Args:
        order: what to dream.
        pairs: each picture and its result.
        skipped: how many others are left out, for the summary.
        as_json: print a JSON object a picture instead of a line.

    Returns:
        the exit status: 1 if a picture could not be dreamed.
    """
    batch = _Batch(len(pairs), as_json=as_json)
    jobs = (FileJob(order, path, output, partial(batch.note, path)) for path, output in pairs)
    try:
        with batch.bar, contextlib.closing(in_turn(jobs, daemon, batch.watch)) as dreams:
            for job, dream in dreams:
                batch.settle(job, dream)
    finally:  # interrupted, too
        batch.conclude(skipped)
    return 1 if batch.failed else 0


class _Batch:
    """What has become of the pictures so far."""

    def __init__(self, total: int, *, as_json: bool) -> None:
        self.bar = ProgressBar(total)
        self.failed: Sentences = {}
        self._notes: Sentences = {}
        self._total = total
        self._done = 0
        self._settled = 0
        self._json = as_json
        self._began = time.monotonic()

    def note(self, path: Path, sentences: Iterable[str]) -> None:
        """Keep sentences about small losses of a picture for the end."""
        for sentence in filter(None, sentences):
            self._notes.setdefault(sentence, []).append(path)

    def watch(self, under_way: Sequence[UnderWay[FileJob]]) -> None:
        """Show the progress."""
        current = under_way[0]
        share = self._settled + sum(one.fraction for one in under_way)
        left = current.text
        if self._settled:
            took = time.monotonic() - self._began
            left = f"about {duration(took / share * (self._total - share))} left"
        self.bar.show(
            share, f"{self._settled + 1} of {self._total}, {left}: {current.job.path.name}"
        )

    def settle(self, job: FileJob, dream: Dream | Exception) -> None:
        """Write a picture's result, or keep the reason why there is none."""
        try:
            if isinstance(dream, Exception):
                raise dream
            if dream.pixels is None:
                self._fail(job.path, dream.text)
                return
            stored = job.finish(dream)
        except (ValueError, OSError) as error:
            self._fail(job.path, str(error))
            return
        finally:
            self._settled += 1
        self._done += 1
        if self._json:
            described = report.described(dream.report, stored, job.output)
            self._print(json.dumps({"input": str(job.path), **described}))
        else:
            self._print(report.line(dream.report, job.output))

    def conclude(self, skipped: int) -> None:
        """Print the summary, and what was lost and what went wrong."""
        took = duration(time.monotonic() - self._began)
        left_out = f", {skipped} skipped" if skipped else ""
        text = f"{self._done} of {self._total} pictures are dreamed, in {took}{left_out}."
        if self._settled < self._total:
            text += " Those that are done stay: with --skip-existing, the others are dreamed."
        print(text, file=sys.stderr if self._json else sys.stdout, flush=True)
        report.tell(_lines(self._notes))
        report.tell(_lines(self.failed))

    def _fail(self, path: Path, sentence: str) -> None:
        self.failed.setdefault(sentence, []).append(path)
        if self._json:
            self._print(json.dumps({"input": str(path), "error": sentence}))

    def _print(self, line: str) -> None:
        with self.bar.aside():
            print(line, flush=True)


def _lines(sentences: Mapping[str, Sequence[Path]]) -> Iterable[str]:
    """The sentences, each with the pictures that it is about unless it names its only one."""
    for sentence, paths in sentences.items():
        if len(paths) == 1 and str(paths[0]) in sentence:
            yield sentence
            continue
        named = ", ".join(map(str, paths[:NAMED]))
        more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
        yield f"{named}{more}: {sentence}"
