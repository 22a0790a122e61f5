"""Actions of the test scripts on GIMP's screen: windows, keys, screenshots, finding pictures."""

import subprocess
import threading
import time
import traceback
from contextlib import suppress
from operator import ne
from pathlib import Path

import case
from desk import deep_dream
from gi.repository import Gimp

DIALOG, PROGRESS, MESSAGE = "^Deep Dream$", "^Dreaming$", "^GIMP Message$"
SEARCH = ["search", "--onlyvisible"]
INTERACTIVE, LAST = Gimp.RunMode.INTERACTIVE, Gimp.RunMode.WITH_LAST_VALS

displays = []


def show(image):
    """Open a window on the image and wait for it."""
    displays.append(Gimp.Display.new(image))
    Gimp.displays_flush()
    on_image(image)


def close_all():
    """Close the images' windows, and the message on what became of a source.

    A call from the menu may go on when its layer is there already, and GIMP 3.0 crashes now and
    then if the only window of its image is closed meanwhile (docs/design/gimp.md, "Traps").
    """
    until(lambda: not plugin_runs(), "a call of the plug-in has not ended", 60)
    time.sleep(0.2)  # GIMP still notices its end
    if titles(MESSAGE):
        press_until_gone(MESSAGE, "Return")
    while displays:
        display = displays.pop()
        if display.is_valid():
            display.delete()


def plugin_runs():
    """Whether GIMP has started the plug-in for a call that has not ended."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            if b"dreamlayer-gimp.py\0-gimp\0" in command.read_bytes():
                return True
    return False


def on_image(image, *keys):
    """Type keys into the image's window."""
    type_into(title_of(image), *keys)


def title_of(image):
    return f"{image.get_width()}x{image.get_height()} – GIMP"


def own_step(image):
    """Add an undo step of the user, so that one undo too many is noticed."""
    own = Gimp.Layer.new(image, "own", 8, 8, Gimp.ImageType.RGBA_IMAGE, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(own, None, 0)
    return own


def titles(title):
    """The windows whose titles match; without waiting for one."""
    with suppress(subprocess.CalledProcessError):
        return case.xdotool(*SEARCH, "--name", title).split()
    return []


def type_into(title, *keys):
    find(title)
    for key in keys:  # chained behind the search they would be sent in a way GIMP ignores
        case.xdotool("key", key)


def until(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def shot(name):
    path = Path(case.screenshot(name))
    assert path.stat().st_size > 20_000, "the screen is black"


def find(title):
    """Wait for a window and bring it to the front, which fails while it is being created."""

    def in_front():
        windows = titles(title)
        with suppress(subprocess.CalledProcessError):
            for window in windows[-1:]:
                case.xdotool("windowactivate", window)
                return case.xdotool("getactivewindow") in windows
        return False

    until(in_front, f"there is no window {title}", 60)


def press_until_gone(title, key):
    """Type a key until the window is gone: a key may be lost while a window is created."""
    find(title)
    while titles(title):
        type_into(title, key)
        with suppress(AssertionError):
            until(lambda: not titles(title), "it is still there", 5)


seen = set()  # names of the screenshots that show the window they were taken for


def on_window(title, *keys, name="", delay=1.0):
    """In a thread: wait for a window and `delay` seconds, make a screenshot, then type keys."""

    def watch():
        find(title)
        time.sleep(delay)
        if name:
            case.screenshot(name)
            case.xdotool(*SEARCH, "--name", title)  # fails if the window is gone
            seen.add(name)
        for key in keys:
            case.xdotool("key", key)

    threading.Thread(target=watch, daemon=True).start()


def forget_last_values():
    """Make the dialog show the arguments: GIMP would replace them by last values."""
    for last in Path(Gimp.directory(), "plug-in-settings").glob("*dreamlayer.last"):
        last.unlink()


def beside_dialog(act, image, drawables, windows=(DIALOG, PROGRESS), **arguments):
    """Call Deep Dream as a user does; `act` runs in a thread once the first window is open.

    windows: those that may stand open at the end, and are then closed.
    """
    forget_last_values()
    failures = []

    def run():
        try:
            find(windows[0])
            case.xdotool("mousemove", "5", "5")  # no tooltip in the way
            act()
        except Exception:
            failures.append(traceback.format_exc())
            case.screenshot("failure")
            for title in windows:  # so that the call comes to an end
                for _ in range(5):  # where the first Escape only cancels
                    if titles(title):
                        type_into(title, "Escape")
                        time.sleep(1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    answer = deep_dream(image, drawables, INTERACTIVE, **arguments)
    thread.join()
    assert not failures, failures[0]
    return answer


def set_number(name, value):
    """Type into a control of the dialog, reached by its mnemonic."""
    case.xdotool("key", f"alt+{LETTERS[name]}", "ctrl+a")
    case.xdotool("type", str(value))
    case.xdotool("key", "Tab")


def letters():
    """The mnemonic of each control."""
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-dreamlayer")
    labels = {each.get_name(): each.get_nick() for each in procedure.get_arguments()}
    return {
        name: label[label.index("_") + 1].lower() for name, label in labels.items() if "_" in label
    }


LETTERS = letters()


def rgb(pixels, order="RGBA"):
    """Pixels in one of the link's orders as RGB bytes, without alpha."""
    made = bytearray(len(pixels) // len(order) * 3)
    for sample in range(3):
        made[sample::3] = pixels[sample if order == "RGBA" else 0 :: len(order)]
    return bytes(made)


def pixels_of_screen():
    """The whole screen as RGB bytes."""
    argv = ["import", "-window", "root", "-depth", "8", "rgb:-"]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout


def changed_since(still):
    """Whether more than a blinking cursor has changed on the screen."""
    return sum(map(ne, still, pixels_of_screen())) > 300


def place_on_screen(picture, width, shown=b""):
    """The position of an RGB picture on the screen, pixel for pixel; None if it is not visible.

    `shown` is the screen, if it is already known.
    """
    shown = shown or pixels_of_screen()
    across = int(case.xdotool("getdisplaygeometry").split()[0])
    rows = [picture[start : start + 3 * width] for start in range(0, len(picture), 3 * width)]
    found = shown.find(rows[0])
    while found >= 0:
        starts = range(found, found + len(rows) * 3 * across, 3 * across)
        if found % 3 == 0 and all(
            shown.startswith(row, at) for row, at in zip(rows, starts, strict=True)
        ):
            return found // 3 % across, found // 3 // across
        found = shown.find(rows[0], found + 1)
    return None


def wait_for_picture(picture, width, what):
    """Wait until a picture is visible; returns its position on the screen."""
    places = []

    def is_seen():
        places.append(place_on_screen(picture, width))
        return places[-1] is not None

    until(is_seen, f"{what} is not seen")
    return places[-1]


def daemon_status():
    from dreamlink.client.launch import connect

    client = connect()
    client.send({"op": "status", "id": "test"})
    message = client.receive(10)
    client.close()
    assert message
    return message[0]
