"""The daemon's log: one JSON object a line, begun anew when it is long.

    {"time": "2026-01-31T09:26:53.589+00:00", "level": "info", "event": "dream", "seconds": 12.1, …}

It holds what happened, never pixels, tokens or names of the user's files: events say what they
tell, and a secret that is known here is blotted out wherever it would appear. A full disk, or a
folder that can't be written, costs log lines and nothing else.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import logging
import os
import sys
import threading
from datetime import datetime, timezone
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from dreamlink.client import discovery

FIELDS = "fields"  # the attribute of a log record that holds an event's own
TEXT_MAX = 20000  # letters of a field or a traceback
FOR_PEOPLE = "%(asctime)s %(levelname)s %(message)s"
HIDDEN = "(hidden)"

log = logging.getLogger(__name__)
_secrets: set[str] = set()


def path() -> Path:
    """Where this user's log lies; older ones lie beside it, with .1, .2 … at their ends."""
    return discovery.home() / discovery.LOG_FILE


def start(size: int, files: int) -> None:
    """Write what the daemon logs into its file, and on the terminal if there is one.

    Args:
        size: bytes that the file may have.
        files: how many older files are kept.
    """
    handlers: list[logging.Handler] = []
    with contextlib.suppress(OSError):
        handlers.append(_Rotating(path(), size, files))
    if not _is_kept_by_launcher(sys.stderr):
        people = logging.StreamHandler(sys.stderr)
        people.setFormatter(_ForPeople(FOR_PEOPLE))
        handlers.append(people)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    logging.raiseExceptions = False  # what can't be logged stops nobody
    logging.captureWarnings(True)
    threading.excepthook = _died
    with contextlib.suppress(OSError, ValueError, AttributeError):  # no real file there
        faulthandler.enable(sys.stderr)


def event(logger: logging.Logger, name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log that something happened; the fields are numbers, texts or lists of such."""
    words = " ".join(f"{key}={value!s:.200}" for key, value in fields.items())
    logger.log(level, "%s %s", name, words, extra={FIELDS: {"event": name, **fields}})


def hide(secret: str) -> None:
    """Never write this text into the log."""
    _secrets.add(secret)


class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, timezone.utc)
        told: dict[str, Any] = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        fields = getattr(record, FIELDS, None)
        told |= fields if fields is not None else {"event": record.getMessage()}
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        short = {k: v[:TEXT_MAX] if isinstance(v, str) else v for k, v in told.items()}
        return _without_secrets(json.dumps(short, ensure_ascii=False, default=str))


class _ForPeople(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _without_secrets(super().format(record))


class _Rotating(RotatingFileHandler):
    """A file for the user alone, that goes on where it can't be replaced.

    On Windows a file that somebody reads can't be renamed: then it grows until it can.
    """

    def __init__(self, place: Path, size: int, files: int) -> None:
        super().__init__(place, maxBytes=size, backupCount=files, encoding="utf-8")
        self.setFormatter(Lines())

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        try:
            if self.backupCount or self.stream is None:
                super().doRollover()
            else:  # logging would let it grow
                self.stream.seek(0)
                self.stream.truncate()
        except OSError:
            if self.stream is None:
                self.stream = self._open()

    def _open(self) -> io.TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors="backslashreplace")


def _is_kept_by_launcher(stream: Any) -> bool:
    """Whether it goes into the file that `dreamlink.client.launch` keeps for crashes."""
    try:
        kept = (discovery.home() / discovery.SAID_FILE).stat()
        return os.path.samestat(os.fstat(stream.fileno()), kept)
    except (OSError, ValueError, AttributeError):
        return stream is None  # a window's program has no stderr at all


def _died(reason: threading.ExceptHookArgs) -> None:
    name = reason.thread.name if reason.thread else "?"
    caught = reason.exc_value or reason.exc_type()
    log.critical("the thread %s has died", name, exc_info=caught)


def _without_secrets(text: str) -> str:
    for secret in _secrets:
        text = text.replace(secret, HIDDEN)
    return text
