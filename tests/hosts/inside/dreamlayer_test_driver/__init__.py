"""A Krita plug-in that runs one test script in the open window, then quits Krita.

The script defines `run(document)`. It may be a generator: Krita's event loop turns while it waits,
so the plug-in under test works as it does under a user's hands. It yields a number to wait that
many milliseconds, or a function to wait until it returns something true. Whatever raises, in the
script or in any slot, ends Krita at once with status 3 and a traceback; a dialog would wait for
ever.
"""

import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType

from krita import Krita, QTimer

INSIDE = os.environ.get("DREAMLAYER_TEST_INSIDE")
POLL = 50  # ms between two looks at a condition
LEFT_OVER = 5  # seconds before the time-out in which a wait is given up, with a traceback


def end_with_traceback(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    traceback.print_exception(kind, error, where)
    sys.stderr.flush()
    os._exit(3)


Step = float | Callable[[], object]  # milliseconds, or a condition to wait for


def begin() -> None:
    """Start the script as soon as the window and, if there is one, the picture are ready."""
    import case  # found only in a test

    document = Krita.instance().activeDocument()
    opened = document is not None and document.activeNode() is not None
    if Krita.instance().activeWindow() is None or (case.picture and not opened):
        QTimer.singleShot(POLL, begin)
        return
    steps = runpy.run_path(case.script)["run"](document)
    advance(steps if steps is not None else iter(()))


def advance(steps: Iterator[Step]) -> None:
    wanted = next(steps, None)
    if wanted is None:
        leave()
    elif callable(wanted):
        wait_for(wanted, steps)
    else:
        QTimer.singleShot(int(wanted), lambda: advance(steps))


def wait_for(condition: Callable[[], object], steps: Iterator[Step]) -> None:
    import case

    if condition():
        advance(steps)
    elif case.remaining() < LEFT_OVER:
        raise TimeoutError(f"{condition} has not become true in time")
    else:
        QTimer.singleShot(POLL, lambda: wait_for(condition, steps))


def leave() -> None:
    for document in Krita.instance().documents():
        document.setModified(False)  # or Krita asks whether to save
        document.close()
    QTimer.singleShot(POLL, Krita.instance().action("file_quit").trigger)


if INSIDE:
    sys.excepthook = end_with_traceback
    sys.path.insert(0, INSIDE)
    QTimer.singleShot(0, begin)
