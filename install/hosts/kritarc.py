"""Enabling the plug-in in Krita's settings file.

The file is edited line by line as bytes, so that everything else in it stays unchanged.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from install.errors import InstallError

SECTION = b"[python]"
KEY = b"enable_dreamlayer_krita"


def enable(settings: Path) -> bool:
    """Enable the plug-in; returns whether anything had to be changed."""
    old = _read(settings)
    new = with_plugin(old)
    if new != old:
        _write(settings, new)
    return new != old


def disable(settings: Path) -> bool:
    """Remove our line from the settings; returns whether there was one."""
    old = _read(settings)
    new = without_plugin(old)
    if new != old:
        _write(settings, new)
    return new != old


def enabled(settings: Path) -> bool:
    """Whether Krita will load the plug-in."""
    content = _read(settings)
    return with_plugin(content) == content


def with_plugin(content: bytes) -> bytes:
    """The settings with the plug-in enabled."""
    ending = b"\r\n" if b"\r\n" in content else b"\n"
    lines = content.splitlines(keepends=True) if content else []
    ours = [i for i in _python_lines(lines) if _key(lines[i]) == KEY]
    if ours:  # the last one counts
        if lines[ours[-1]].partition(b"=")[2].strip().lower() == b"true":
            return content
        lines[ours[-1]] = KEY + b"=true" + _ending(lines[ours[-1]])
        return b"".join(lines)
    line = KEY + b"=true" + ending
    headers = [i for i, text in enumerate(lines) if text.strip() == SECTION]
    if not headers:
        gap = [b"" if content.endswith((b"\n", b"\r")) else ending, ending] if content else []
        return b"".join([content, *gap, SECTION, ending, line])
    header = lines[headers[0]]
    lines[headers[0]] = header if _ending(header) else header + ending
    lines.insert(headers[0] + 1, line)
    return b"".join(lines)


def without_plugin(content: bytes) -> bytes:
    """The settings without our line, and without the section's header if that leaves it empty."""
    lines = content.splitlines(keepends=True)
    for i in reversed([i for i in _python_lines(lines) if _key(lines[i]) == KEY]):
        del lines[i]
        header = max(j for j in range(i) if lines[j].strip() == SECTION)
        following = (j for j in range(i, len(lines)) if lines[j].lstrip().startswith(b"["))
        end = next(following, len(lines))
        if not any(line.strip() for line in lines[header + 1 : end]):
            gap_before = end == len(lines) and header > 0 and not lines[header - 1].strip()
            del lines[header - 1 if gap_before else header : end]
    return b"".join(lines)


def _python_lines(lines: list[bytes]) -> list[int]:
    """The indices of the lines in the section [python]."""
    inside, numbers = False, []
    for i, line in enumerate(lines):
        if line.lstrip().startswith(b"["):
            inside = line.strip() == SECTION
        elif inside:
            numbers.append(i)
    return numbers


def _key(line: bytes) -> bytes:
    return line.partition(b"=")[0].strip()


def _ending(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


def _read(settings: Path) -> bytes:
    try:
        return settings.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unwritable(settings, error) from error


def _write(settings: Path, content: bytes) -> None:
    """Write the file atomically; a link stays a link, and the mode is kept."""
    target = settings.resolve()
    fresh = target.with_name(f".{target.name}.dreamlayer")
    try:
        if not content:
            target.unlink()
            with contextlib.suppress(OSError):
                target.parent.rmdir()  # only if it is empty: it was made for this file
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(content)
        if target.exists():
            shutil.copymode(target, fresh)
        fresh.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise _unwritable(settings, error) from error


def _unwritable(settings: Path, error: OSError) -> InstallError:
    return InstallError(
        f"Krita's settings can't be changed ({settings}: {error.strerror or error}): enable"
        " Dreamlayer in Krita under Settings ▸ Configure Krita ▸ Python Plugin Manager."
    )
