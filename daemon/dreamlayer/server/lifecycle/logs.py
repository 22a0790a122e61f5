"""The daemon's log: one JSON object a line, in a file that is rotated when it is long.

    {"time": "2026-01-31T09:26:53.589+00:00", "level": "info", "event": "dream", "seconds": 12.1, …}

It records events, never pixels, tokens or names of the user's files: each event lists its fields,
and every secret registered with `hide` is replaced wherever it would appear. If the disk is full
or the folder can't be written, log lines are lost and nothing else happens.
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

from dreamlink.client import discovery, private_files

FIELDS = "fields"  # the attribute of a log record that holds an event's fields
TEXT_MAX = 20000  # characters of a field or a traceback
TERMINAL_FORMAT = "%(asctime)s %(levelname)s %(message)s"
HIDDEN = "(hidden)"

log = logging.getLogger(__name__)
_secrets: set[str] = set()


def path() -> Path:
    """This daemon's log file; older ones lie beside it, with .1, .2 … appended to the name."""
    return discovery.daemon_folder() / discovery.LOG_FILE


def start(size: int, files: int) -> None:
    """Write log messages into the log file, and to the terminal if there is one.

    Args:
        size: bytes after which a new file is started.
        files: how many older files are kept.
    """
    handlers: list[logging.Handler] = []
    with contextlib.suppress(OSError):
        handlers.append(_LogFile(path(), size, files))
    if not _is_launchers_file(sys.stderr):
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setFormatter(_TextFormatter(TERMINAL_FORMAT))
        handlers.append(terminal)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    logging.raiseExceptions = False  # a message that can't be logged is no error
    logging.captureWarnings(True)
    threading.excepthook = _log_dead_thread
    with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr is no real file
        faulthandler.enable(sys.stderr)


def event(logger: logging.Logger, name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event; its fields are numbers, strings or lists of those."""
    words = " ".join(f"{key}={value!s:.200}" for key, value in fields.items())
    logger.log(level, "%s %s", name, words, extra={FIELDS: {"event": name, **fields}})


def hide(secret: str) -> None:
    """Never write this string into the log."""
    _secrets.add(secret)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, timezone.utc)
        values: dict[str, Any] = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        fields = getattr(record, FIELDS, None)
        values |= fields if fields is not None else {"event": record.getMessage()}
        if record.exc_info:
            values["error"] = self.formatException(record.exc_info)
        short = {k: v[:TEXT_MAX] if isinstance(v, str) else v for k, v in values.items()}
        return _without_secrets(json.dumps(short, ensure_ascii=False, default=str))


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _without_secrets(super().format(record))


class _LogFile(RotatingFileHandler):
    """A private log file, which keeps growing while it can't be rotated.

    On Windows a file that another program has open can't be renamed.
    """

    def __init__(self, place: Path, size: int, files: int) -> None:
        super().__init__(place, maxBytes=size, backupCount=files, encoding="utf-8")
        self.setFormatter(JsonFormatter())

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        try:
            if self.backupCount or self.stream is None:
                super().doRollover()
            else:  # with no backups, logging would let it grow
                self.stream.seek(0)
                self.stream.truncate()
        except OSError:
            if self.stream is None:
                self.stream = self._open()

    def _open(self) -> io.TextIOWrapper:
        descriptor = private_files.open_to_append(Path(self.baseFilename))
        return open(descriptor, "a", encoding=self.encoding, errors="backslashreplace")


def _is_launchers_file(stream: Any) -> bool:
    """Whether a stream goes into the file in which `dreamlink.client.launch` keeps crash output."""
    try:
        crash_file = (discovery.home() / discovery.SAID_FILE).stat()
        return os.path.samestat(os.fstat(stream.fileno()), crash_file)
    except (OSError, ValueError, AttributeError):
        return stream is None  # a program without a console has no stderr at all


def _log_dead_thread(reason: threading.ExceptHookArgs) -> None:
    name = reason.thread.name if reason.thread else "?"
    caught = reason.exc_value or reason.exc_type()
    log.critical("the thread %s has died", name, exc_info=caught)


def _without_secrets(text: str) -> str:
    for secret in _secrets:
        text = text.replace(secret, HIDDEN)
    return text
