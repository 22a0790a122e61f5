"""Removes names of users, computers and folders, ids and secrets from a text."""

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

NAME_MIN = 3  # characters; shorter names occur in other words, and identify nobody
COMMON = {"root", "user", "admin", "localhost", "local"}  # names that identify nobody
ID = re.compile(r"\b[0-9a-f]{16}\b")  # of a dream
SECRET = re.compile(r"[\w-]{43}")  # of the token's form


def anonymous(text: str, folders: Mapping[str, str] | None = None) -> str:
    """The text with this user's folders, names, ids and secrets replaced.

    `folders` maps further paths to their replacements.
    """
    replacements = {**_folders(), **(folders or {})}
    for path in sorted(replacements, key=len, reverse=True):  # inner folders first
        for spelling in _spellings(path):
            text = _replace_path(text, spelling, replacements[path])
    info = discovery.find()
    if info is not None:
        text = text.replace(info.token, "(token)")
    text = SECRET.sub("(secret)", ID.sub("(id)", text))
    for name in sorted(_users(), key=len, reverse=True):
        text = _replace_word(text, name, "(user)")
    for name in sorted(_computers(), key=len, reverse=True):
        text = _replace_word(text, name, "(computer)")
    return text


def _folders() -> dict[str, str]:
    package = importlib.util.find_spec("dreamlayer")
    folders = {str(home): "(home)" for home in _homes()}
    with contextlib.suppress(discovery.NoFolder):
        folders[str(discovery.home())] = "(Dreamlayer's folder)"
    folders |= {
        sys.prefix: "(environment)",
        sys.base_prefix: "(Python)",
    }
    if package and package.origin:
        folders[str(Path(package.origin).parent)] = "(package)"
    return {path: name for path, name in folders.items() if len(PurePath(path).parts) > 1}


def _homes() -> list[Path]:
    """The user's home folder, if there is one, and in a Snap the real one."""
    homes = []
    with contextlib.suppress(RuntimeError):
        homes.append(Path.home())
    real = os.environ.get("SNAP_REAL_HOME")
    return [*homes, *([Path(real)] if real else [])]


def _spellings(path: str) -> Iterable[str]:
    """A path as it is, resolved, with forward slashes, and as JSON escapes it."""
    resolved = str(Path(path).resolve())
    for spelling in dict.fromkeys((path, resolved)):
        yield spelling
        yield spelling.replace("\\", "/")
        yield json.dumps(spelling)[1:-1]
        yield json.dumps(spelling, ensure_ascii=False)[1:-1]


def _users() -> set[str]:
    names = {os.environ.get(name, "") for name in ("USER", "USERNAME", "LOGNAME")}
    names |= {home.name for home in _homes()}
    with contextlib.suppress(OSError, KeyError, ImportError):  # the process has no user name
        names.add(getpass.getuser())
    return _identifying({*names, *_full_name()})


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
    host = socket.gethostname()
    return _identifying({host, host.partition(".")[0], os.environ.get("COMPUTERNAME", "")})


def _identifying(names: set[str]) -> set[str]:
    return {name for name in names if len(name) >= NAME_MIN and name.lower() not in COMMON}


def _replace_path(text: str, old: str, new: str) -> str:
    """Replace a path wherever it stands alone or is followed by a separator."""
    return re.sub(re.escape(old) + r"(?![\w-])", lambda _: new, text, flags=re.IGNORECASE)


def _replace_word(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: new, text, flags=re.IGNORECASE)
