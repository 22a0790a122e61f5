"""Inside GIMP with its windows: fifty dreams, cancels, kills, undos and deletions at random.

Whatever happens, the image is what its history says: each step that GIMP's undo knows is kept here
as it was seen, and compared after each act, and once more in the end on the way back and forth.
"""

import os
import random
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import CANCEL, FAST, call, deep_dream, open_photo, photo_part, run_checks, snapshot
from gi.repository import Gimp
from screen import (
    DIALOG,
    INTERACTIVE,
    PROGRESS,
    daemon_status,
    find,
    forget_last_values,
    on_image,
    press_until_gone,
    show,
    until,
)

AGAIN = "plug-in-dreamlayer-again"
# Short on a tiny picture; on the photo longer than lost keys and windows on a busy machine take.
LONG = {**FAST, "octaves": 1, "steps": 150, "noise": 0.05, "noise_samples": 32}
LAYERS_MAX = 6
ACTS = {
    "dream": 10, "dream_again": 4, "undo": 10, "redo": 7, "cancel": 5, "kill": 5,
    "remove_source": 4, "undo_source": 3, "remove": 2,
}  # fmt: skip
rng = random.Random(6)


class History:
    """The states that GIMP's undo history of an image should lead to."""

    def __init__(self, image):
        self.image = image
        self.states = [self.seen()]
        self.now = 0

    def seen(self):
        """The current state of the image: layers, offsets, pixels, masks."""
        return snapshot(self.image)[2:]

    def did(self):
        """Record a step: undone steps can no longer be redone."""
        self.now += 1
        self.states[self.now :] = [self.seen()]

    def go(self, steps, key):
        """Undo or redo one step by a key."""
        self.now += steps
        on_image(self.image, key)
        until(lambda: self.seen() == self.states[self.now], f"{key} leads elsewhere")

    def check(self, what):
        assert self.seen() == self.states[self.now], (
            f"after {what} the image is not as it should be"
        )


def calls():
    """The processes of the plug-in during a call."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            words = file.read_bytes().split(b"\0")
            if b"-run" in words and any(b"dreamlayer-gimp.py" in word for word in words):
                found.append(int(file.parent.name))
    return found


def any_layer(history):
    return rng.choice(history.image.get_layers())


def add_copy(history):
    """Add a layer as a user would, and select it."""
    layer = any_layer(history)
    copy = layer.copy()
    history.image.insert_layer(copy, None, history.image.get_item_position(layer))
    history.did()
    return copy


def start(history, layer):
    """Start a long dream with Ctrl+F, and return while it runs."""
    until(lambda: not daemon_status()["jobs"], "the daemon still dreams for nobody")
    history.image.set_selected_layers([layer])
    on_image(history.image, "ctrl+f")
    until(lambda: calls() and daemon_status()["jobs"], "no dream began")
    time.sleep(rng.random() / 2)


def ended():
    until(lambda: not calls(), "the call does not end")


def dream(history):
    layer = any_layer(history)
    made = deep_dream(history.image, [layer], **{**FAST, "seed": rng.randint(1, 999)}).layer
    place = history.image.get_item_position(made)
    assert history.image.get_item_position(layer) == place + 1
    history.did()


def dream_again(history):
    dreams = [layer for layer in history.image.get_layers() if layer.get_parasite_list()]
    if not dreams:
        return dream(history)
    layer = rng.choice(dreams)
    made = call(AGAIN, history.image, [layer], seed=rng.randint(1, 999)).layer
    place = history.image.get_item_position(made)
    assert history.image.get_item_position(layer) == place + 1
    return history.did()


def undo(history):
    if history.now == 0:
        return remove(history)
    return history.go(-1, "ctrl+z")


def redo(history):
    if history.now == len(history.states) - 1:
        return undo(history)
    return history.go(1, "ctrl+y")


def remove(history):
    if len(history.image.get_layers()) == 1:
        add_copy(history)
    else:
        history.image.remove_layer(any_layer(history))
        history.did()


def cancel(history):
    """With Cancel in our own window, or by closing it."""
    key, delay = rng.choice(["alt+c", "Escape"]), rng.random()

    def press():
        press_until_gone(DIALOG, "Return")
        find(PROGRESS)
        time.sleep(delay)
        press_until_gone(PROGRESS, key)

    threading.Thread(target=press, daemon=True).start()
    layer = any_layer(history)
    answer = deep_dream(history.image, [layer], INTERACTIVE, **LONG)
    assert answer.status == CANCEL, answer


def kill(history):
    """Kill the plug-in, as Cancel in GIMP's status bar does."""
    start(history, any_layer(history))
    for process in calls():
        os.kill(process, signal.SIGKILL)
    ended()


def remove_source(history):
    copy = add_copy(history)
    start(history, copy)
    history.image.remove_layer(copy)
    history.did()
    ended()


def undo_source(history):
    start(history, add_copy(history))
    history.go(-1, "ctrl+z")
    ended()


def remember_long_dream():
    """Make a long dream's values the last ones, and Deep Dream what Ctrl+F repeats."""
    forget_last_values()  # those of an earlier script
    tiny, source = photo_part(24, 24)
    show(tiny)
    press = threading.Thread(target=press_until_gone, args=(DIALOG, "Return"), daemon=True)
    press.start()
    assert deep_dream(tiny, [source], INTERACTIVE, **LONG).layer
    search_and_call(tiny)
    press_until_gone(DIALOG, "Escape")
    ended()


def search_and_call(image):
    """With GIMP's search of all actions, which may miss keys typed while it opens."""
    for _ in range(5):
        on_image(image, "slash")
        time.sleep(1)
        case.xdotool("type", "Deep Dream")
        time.sleep(1)
        case.xdotool("key", "Down", "Return")
        with suppress(AssertionError):
            return until(calls, "nothing was called", 10)
        case.xdotool("key", "Escape")
    raise AssertionError("the search does not find Deep Dream")


histories = []  # one, when the acts are done


def check_fifty_acts():
    Gimp.message_set_handler(Gimp.MessageHandlerType.CONSOLE)  # where the test reads them
    remember_long_dream()
    image, _ = open_photo()
    show(image)
    history = History(image)
    histories.append(history)
    acts = [name for name, count in ACTS.items() for _ in range(count)]
    assert len(acts) == 50
    rng.shuffle(acts)
    begun = daemon_status()["cancelled"]
    for number, act in enumerate(acts, 1):
        if act in ("dream", "dream_again") and len(image.get_layers()) >= LAYERS_MAX:
            remove(history)
        started = time.monotonic()
        globals()[act](history)
        history.check(f"act {number}, {act},")
        print(f"{number}: {act}, {time.monotonic() - started:.1f} s")
    ended_early = sum(ACTS[act] for act in ("cancel", "kill", "remove_source", "undo_source"))
    until(lambda: not daemon_status()["jobs"], "the daemon still dreams for nobody")
    assert daemon_status()["cancelled"] - begun >= ended_early, daemon_status()


def check_history_leads_back_and_forth():
    (history,) = histories
    while history.now > 0:
        history.go(-1, "ctrl+z")
    for _ in history.states[1:]:
        history.go(1, "ctrl+y")


def check_gimp_is_as_good_as_before():
    image, source = photo_part()
    made = deep_dream(image, [source], **FAST).layer
    assert image.get_layers() == [made, source]
    case.screenshot("fifty")


run_checks(dict(globals()))
case.verdict(finished=True)
