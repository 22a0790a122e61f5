"""Downloads a file of weights, and says in a sentence why that has failed."""

from __future__ import annotations

import errno
import http.client
import socket
import sys
import urllib.request
from pathlib import Path

import torch

from dreamlayer.networks.registry import user_store

PATIENCE = 30.0  # seconds without data from a server
REASON_MAX = 150  # characters of a reason in a sentence


class CannotGet(OSError):
    """Weights could not be downloaded; the message says why, and what else can be done."""


def download(url: str, path: Path, name: str) -> None:
    """Download the weights of network `name` into a file, with a bar on a terminal.

    Raises CannotGet: with what is wrong, and what to do.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        torch.hub.download_url_to_file(url, str(path), progress=sys.stderr.isatty())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CannotGet(
            f"The weights of {name} could not be downloaded ({short_reason(error)}). Go online"
            f"{proxy_hint()} and try again; or download {url} elsewhere, and then: dreamlayer"
            f" models get {name} --file FILE"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def short_reason(error: Exception) -> str:
    """A few words from an error of a download: what a server or proxy sent may be of any length."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk of {user_store.current().folder} is full"
    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, http.client.HTTPException):
        words = f"the answer makes no sense: {words}"
    return words if len(words) <= REASON_MAX else f"{words[:REASON_MAX]}…"


def proxy_hint() -> str:
    """Names the proxies of downloads, if there are any, as they may be the reason."""
    proxies = urllib.request.getproxies()
    # Without the user's name and password for it.
    places = [proxies[name].rpartition("@")[2] for name in ("https", "http") if name in proxies]
    if not places:
        return ""
    return f", correct the proxy ({places[0]:.{REASON_MAX}}; e.g. in the variable HTTPS_PROXY)"
