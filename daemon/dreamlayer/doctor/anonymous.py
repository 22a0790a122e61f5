"""Texts without what tells who wrote them: names of users, computers and folders."""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import json
import os
import re
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from dreamlink.client import discovery

NAME_MIN = 3  # letters; shorter ones are parts of words, and tell nobody anything
COMMON = {"root", "user", "admin", "localhost", "local"}  # name nobody
ID = re.compile(r"\b[0-9a-f]{16}\b")  # of a dream
SECRET = re.compile(r"[\w-]{43}")  # as the token is made


def anonymous(text: str, folders: Mapping[str, str] | None = None) -> str:
    """The text with folders, names, ids and secrets of this user's replaced.

    `folders` are further paths with what to call them.
    """
    known = {**_folders(), **(folders or {})}
    for path in sorted(known, key=len, reverse=True):  # the inner ones first
        for written in _spellings(path):
            text = _replaced(text, written, known[path])
    info = discovery.find()
    if info is not None:
        text = text.replace(info.token, "(token)")
    text = SECRET.sub("(secret)", ID.sub("(id)", text))
    for name in sorted(_users(), key=len, reverse=True):
        text = _replaced_word(text, name, "(user)")
    for name in sorted(_computers(), key=len, reverse=True):
        text = _replaced_word(text, name, "(computer)")
    return text


def _folders() -> dict[str, str]:
    package = importlib.util.find_spec("dreamlayer")
    found = {
        str(Path.home()): "(home)",
        str(discovery.home()): "(Dreamlayer's folder)",
        sys.prefix: "(environment)",
        sys.base_prefix: "(Python)",
    }
    if package and package.origin:
        found[str(Path(package.origin).parent)] = "(package)"
    real = os.environ.get("SNAP_REAL_HOME")
    if real:
        found[real] = "(home)"
    return {path: name for path, name in found.items() if len(PurePath(path).parts) > 1}


def _spellings(path: str) -> Iterable[str]:
    """A path as it is, resolved, with slashes of one kind, and as it stands in JSON."""
    resolved = str(Path(path).resolve())
    for one in dict.fromkeys((path, resolved)):
        yield one
        yield one.replace("\\", "/")
        yield json.dumps(one)[1:-1]
        yield json.dumps(one, ensure_ascii=False)[1:-1]


def _users() -> set[str]:
    found = {os.environ.get(name, "") for name in ("USER", "USERNAME", "LOGNAME")}
    found.add(Path.home().name)
    with contextlib.suppress(OSError, KeyError, ImportError):  # a process without a user's name
        found.add(getpass.getuser())
    return _telling({*found, *_full_name()})


def _full_name() -> set[str]:
    if sys.platform == "win32":
        return set()
    import pwd

    try:
        full = pwd.getpwuid(os.getuid()).pw_gecos.split(",")[0]
    except KeyError:
        return set()
    return {full, *full.split()}


def _computers() -> set[str]:
    whole = socket.gethostname()
    return _telling({whole, whole.partition(".")[0], os.environ.get("COMPUTERNAME", "")})


def _telling(names: set[str]) -> set[str]:
    return {name for name in names if len(name) >= NAME_MIN and name.lower() not in COMMON}


def _replaced(text: str, old: str, new: str) -> str:
    """All of a path's occurrences, that stand for themselves or with more behind a separator."""
    return re.sub(re.escape(old) + r"(?![\w-])", lambda _: new, text, flags=re.IGNORECASE)


def _replaced_word(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text, flags=re.IGNORECASE)
