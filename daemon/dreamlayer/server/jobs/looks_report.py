"""The messages about several looks: one `look` each time there is a new one of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dreamlayer.server.jobs.error_text import sentence
from dreamlayer.studio.progress import LooksProgress, RecipeLook
from dreamlink.wire.messages import Frame, Header


class LooksReporter:
    """Sends each look when it is there.

    Args:
        send: sends a message to the client, who may be gone.
        log_place: where the log is, for error messages.
    """

    def __init__(self, send: Callable[[Header, Sequence[Frame]], None], log_place: str) -> None:
        self._send = send
        self._log_place = log_place

    def report(self, progress: LooksProgress) -> None:
        """Send the look of a progress, if it has one."""
        if progress.look is not None:
            self._send(*self._message(progress.look))

    def _message(self, look: RecipeLook) -> tuple[Header, Sequence[Frame]]:
        header: Header = {"op": "look", "index": look.index, "complete": look.complete}
        if look.picture is None:
            error = look.error or RuntimeError("nothing was dreamed")
            return header | {"text": sentence(error, self._log_place)}, ()
        layout, pixels = look.picture
        return header | {"preview": layout.to_dict()}, [pixels]
