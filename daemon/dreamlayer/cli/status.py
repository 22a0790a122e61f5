"""`dreamlayer status`: what the daemon is doing."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator
from typing import Any

from dreamlayer.daemon_client import NOT_RUNNING, ask

MB = 1e6
HELP = "what the daemon is doing"


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    status = commands.add_parser("status", help=HELP, description=HELP)
    status.set_defaults(run=_run)
    status.add_argument("--json", action="store_true", help="print one JSON object")


def _run(arguments: argparse.Namespace) -> None:
    from dreamlink.client.launch import connect_to_running

    client = connect_to_running()
    if client is None:
        print(json.dumps({"running": False}) if arguments.json else NOT_RUNNING)
        return
    with contextlib.closing(client):
        told = ask(client, {"op": "status"})
    if arguments.json:
        told = {name: value for name, value in told.items() if name not in ("op", "id")}
        print(json.dumps({"running": True, **told}))
    else:
        print("\n".join(_lines(told)))


def _lines(told: dict[str, Any]) -> Iterator[str]:
    from dreamlink.session.dream import duration

    yield f"The Dreamlayer daemon {told['version']} is running (process {told['pid']})."
    yield f"up:        {duration(told['uptime'])}"
    yield f"device:    {told['device'] or 'not known yet: PyTorch is being loaded'}"
    yield f"networks:  {', '.join(told['networks']) or 'none loaded'}"
    parts = (
        (told["kept_memory"] + told["results_memory"], "finished dreams"),
        (told["waiting_memory"], "pictures of dreams under way"),
    )
    held = ", ".join(f"{size / MB:.0f} MB {name}" for size, name in parts)
    yield f"memory:    {told['memory'] / MB:.0f} MB; of it {held}"
    if told["results_disk"]:
        yield f"disk:      {told['results_disk'] / MB:.0f} MB finished dreams"
    names = {client: f"client {number}" for number, client in enumerate(_clients(told), start=1)}
    for label, job in zip(_labels("dreams:"), told["jobs"], strict=False):
        kind = ", quick" if job["quick"] else ", kept for its client" if job["keep"] else ""
        since = f"{names[job['client']]}, since {duration(job['age'])}{kind}"
        yield f"{label}{job['state']} {job['fraction']:.0%} ({since})"
    if not told["jobs"]:
        yield "dreams:    none"
    done, speed = told["dreams_per_hour"], told["megapixel_steps_per_second"]
    yield f"lately:    {done} done in the last hour, {speed:.2g} megapixel-steps/s"
    yield f"until now: {told['done']} done, {told['failed']} failed, {told['cancelled']} cancelled"
    refused = ", ".join(f"{count} {kind}" for kind, count in told["refused"].items())
    yield f"clients:   {told['connections']} connected; refused: {refused or 'none'}"


def _clients(told: dict[str, Any]) -> list[str]:
    """Who asked for the dreams under way, each once."""
    return list(dict.fromkeys(job["client"] for job in told["jobs"]))


def _labels(first: str) -> Iterator[str]:
    yield f"{first:11}"
    while True:
        yield " " * 11
