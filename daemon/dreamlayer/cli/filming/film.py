"""`dreamlayer film`: dream on all frames of a film, or dive into a picture."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from dreamlayer.cli.filming import options
from dreamlayer.daemon_client import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dreamlayer.cli.dreaming.bar import ProgressBar
    from dreamlayer.filming.shooting import FilmOrder
    from dreamlayer.filming.shots import FilmShot
    from dreamlayer.filming.source import FrameSource

SEED = 1  # where the recipe has none: every shot of a film needs the same, on each computer


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    options.add(commands, run)


def run(arguments: argparse.Namespace) -> int:
    """Dream the film as the options say; returns the exit status."""
    from dreamlayer.cli.ending import ended_in_order
    from dreamlayer.files.memory import told

    with ended_in_order(), told("this film"):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from dreamlayer.cli.dreaming import finding
    from dreamlayer.cli.dreaming.bar import ProgressBar
    from dreamlayer.filming.source import source_of

    options.check(arguments)
    source = source_of(arguments.inputs, arguments.pixels_max, finding.find)
    dive = source.count() == 1
    if dive and (arguments.zoom == 1.0 or not arguments.frames):
        raise CommandError(
            "One picture makes a dive: say how far and how long, e.g. --zoom 1.03 --frames 100."
        )
    with ProgressBar(1) as bar:
        count, shots = _shots(arguments, source, bar, dive=dive)
    if arguments.list_shots:
        for shot in shots:
            print(f"{shot.number} {shot.first} {shot.last}")
        return 0
    chosen = _chosen(shots, arguments.shot, arguments.of)
    plan = _plan(arguments, source, count, dive=dive)
    _dream(plan, chosen, resume=arguments.resume)
    if arguments.shot is None:
        _finish(arguments, plan)
    return 0


def _shots(
    arguments: argparse.Namespace, source: FrameSource, bar: ProgressBar, *, dive: bool
) -> tuple[int, list[FilmShot]]:
    """How many frames the film has, and its shots."""
    from dreamlayer.filming.shots import look_through, shots_of

    if dive:
        return arguments.frames, shots_of(arguments.frames, ())
    if arguments.frames is not None:
        raise CommandError("--frames is for a dive into one picture; these are several.")
    given = options.cuts(arguments.cuts)
    count = source.count()
    if count is None or given is None:
        total = count or 1

        def seen(number: int) -> None:
            bar.show(min(1.0, number / total), f"Looking for cuts: frame {number}")

        count, found = look_through(source.read(1), seen)
        given = found if given is None else given
    if count == 0:
        raise CommandError(f"{arguments.inputs[0]} has no frames.")
    return count, shots_of(count, given)


def _chosen(shots: Sequence[FilmShot], number: int | None, total: int | None) -> Sequence[FilmShot]:
    if number is None:
        return shots
    if total is not None and total != len(shots):
        raise CommandError(
            f"The film has {len(shots)} shots, not {total}: see --list-shots, or say with --cuts"
            " where they begin."
        )
    if not 1 <= number <= len(shots):
        raise CommandError(f"The film has shots 1 to {len(shots)}, so there is no shot {number}.")
    return shots[number - 1 : number]


def _plan(
    arguments: argparse.Namespace, source: FrameSource, count: int, *, dive: bool
) -> FilmOrder:
    import dataclasses

    from dreamlayer.cli.dreaming import choice, report
    from dreamlayer.filming.assembling import is_film
    from dreamlayer.filming.shooting import FilmOrder

    order, notes = choice.order_of(arguments)
    report.tell(notes)
    if not order.recipe.seed:
        order = dataclasses.replace(order, recipe=dataclasses.replace(order.recipe, seed=SEED))
    if arguments.zoom > 1.0 and (order.rectangle is not None or order.mask is not None):
        raise CommandError("--zoom enlarges whole pictures: leave out --select and --mask.")
    carry = arguments.carry
    if carry is None:
        carry = 0.0 if dive else options.CARRY
    folder = arguments.output
    if is_film(folder):
        folder = folder.with_name(f"{folder.name}.frames")
    folder.mkdir(parents=True, exist_ok=True)
    return FilmOrder(order, source, count, carry, arguments.zoom, dive, folder)


def _dream(plan: FilmOrder, shots: Sequence[FilmShot], *, resume: bool) -> None:
    """Dream these shots, with one bar over all of their frames."""
    from dreamlayer.cli.dreaming import report
    from dreamlayer.cli.dreaming.bar import ProgressBar
    from dreamlayer.cli.filming.progress import FilmProgress
    from dreamlayer.dreaming.own_networks import use_own_networks
    from dreamlayer.filming.shooting import dream_shot
    from dreamlayer.server.config import settings
    from dreamlayer.server.main import local_studio

    use_own_networks()
    notes: dict[str, None] = {}
    frames = [number for shot in shots for number in range(shot.first, shot.last + 1)]
    with ProgressBar(len(frames)) as bar:
        bar.show(0.0, "Loading PyTorch…")
        progress = FilmProgress(plan, frames, bar)
        studio = local_studio(settings.load().settings)
        for shot in shots:
            told = dream_shot(plan, shot, studio, resume=resume, watch=progress.watch)
            notes.update(dict.fromkeys(told))
    report.tell(notes)


def _finish(arguments: argparse.Namespace, plan: FilmOrder) -> None:
    """Put the film together, or say where its frames are."""
    from fractions import Fraction

    from dreamlayer.filming.assembling import assemble, is_film
    from dreamlayer.filming.source import DEFAULT_RATE, VideoFrames

    output = arguments.output
    plan.tidy()
    if not is_film(output):
        print(f"{output}: {plan.count} frames")
        return
    source = plan.source
    durations = None if arguments.rate or plan.dive else source.durations
    rate = options.rate(arguments.rate) or source.rate or DEFAULT_RATE
    if durations:
        rate = Fraction(1000 * plan.count / sum(durations)).limit_denominator(1001)
    sound = source.path if isinstance(source, VideoFrames) else None
    frames = [plan.frame(number) for number in range(1, plan.count + 1)]
    assemble(frames, output, rate, durations, sound)
    plan.clear()
    print(f"{output}: {plan.count} frames")
