"""`dreamlayer status`: show what the daemon is doing."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator
from typing import Any

from dreamlayer.daemon_client import NOT_RUNNING, ask

MB = 1e6
HELP = "show what the daemon is doing"


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    command = commands.add_parser("status", help=HELP, description=HELP)
    command.set_defaults(run=_run)
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _run(arguments: argparse.Namespace) -> None:
    from dreamlink.client.launch import connect_to_running

    client = connect_to_running()
    if client is None:
        print(json.dumps({"running": False}) if arguments.json else NOT_RUNNING)
        return
    with contextlib.closing(client):
        status = ask(client, {"op": "status"})
    if arguments.json:
        fields = {name: value for name, value in status.items() if name not in ("op", "id")}
        print(json.dumps({"running": True, **fields}))
    else:
        print("\n".join(_lines(status)))


def _lines(status: dict[str, Any]) -> Iterator[str]:
    from dreamlink.session.dream import duration

    yield f"The Dreamlayer daemon {status['version']} is running (process {status['pid']})."
    yield f"up:        {duration(status['uptime'])}"
    yield f"device:    {status['device'] or 'not known yet, PyTorch is being loaded'}"
    yield f"networks:  {', '.join(status['networks']) or 'none loaded'}"
    parts = (
        (status["kept_memory"] + status["results_memory"], "finished dreams"),
        (status["waiting_memory"], "pictures of dreams in progress"),
    )
    held = ", ".join(f"{size / MB:.0f} MB {name}" for size, name in parts)
    yield f"memory:    {status['memory'] / MB:.0f} MB, of which {held}"
    if status["results_disk"]:
        yield f"disk:      {status['results_disk'] / MB:.0f} MB finished dreams"
    names = {client: f"client {number}" for number, client in enumerate(_clients(status), start=1)}
    for label, job in zip(_labels("dreams:"), status["jobs"], strict=False):
        kind = ", quick" if job["quick"] else ", kept for its client" if job["keep"] else ""
        kind += "" if job["id"] else ", of another computer"
        since = f"{names[job['client']]}, since {duration(job['age'])}{kind}"
        yield f"{label}{job['state']} {job['fraction']:.0%} ({since})"
    if not status["jobs"]:
        yield "dreams:    none"
    done, speed = status["dreams_per_hour"], status["megapixel_steps_per_second"]
    yield f"lately:    {done} done in the last hour, {speed:.2g} megapixel-steps/s"
    ended = ", ".join(f"{status[outcome]} {outcome}" for outcome in ("done", "failed", "cancelled"))
    yield f"until now: {ended}"
    refused = ", ".join(f"{count} {kind}" for kind, count in status["refused"].items())
    yield f"clients:   {status['connections']} connected; refused: {refused or 'none'}"


def _clients(status: dict[str, Any]) -> list[str]:
    """The clients of the dreams in progress, each once."""
    return list(dict.fromkeys(job["client"] for job in status["jobs"]))


def _labels(first: str) -> Iterator[str]:
    yield f"{first:11}"
    while True:
        yield " " * 11
