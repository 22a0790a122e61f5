"""Failures: each time a clear sentence, and an unchanged document."""

import os
import signal

import case
import desk
from krita import QLabel, QPushButton, QSpinBox, QToolButton, Selection

from dreamlink.client import client, discovery

# Does not end during these tests.
LONG = {"octaves": 4, "steps": 500, "noise": 0.1, "noise_samples": 8}
CALL_AGAIN = "Your picture is unchanged; call Deep Dream again."


def run(_document):
    yield from desk.close_documents()
    yield from desk.run_checks(globals())
    document = yield from desk.new_document()
    yield from start_long_dream(document)  # and then Krita quits


def expect_refusal(*words):
    """Trigger the action: the message has all the words, and nothing has changed."""
    document = desk.app.activeDocument()
    before = (desk.snapshot(document), desk.history()) if document else None
    yield from expect_message(desk.trigger, *words)
    if document:
        assert (desk.snapshot(document), desk.history()) == before, "the document has changed"


def expect_message(act, *words):
    """Do something, wait until the queue is empty, and look for all the words in the message."""
    desk.part(QLabel, "message").clear()
    act()
    yield from desk.until(lambda: not desk.busy(), "the dream ends")
    yield 200
    for word in words:
        assert word in desk.message(), desk.message()


def start_long_dream(document):
    """Start a long dream; returns the document's state before."""
    before = (desk.snapshot(document), desk.history())
    desk.fill_form(**LONG)
    desk.trigger()
    yield from desk.until(lambda: desk.status().startswith("Octave "), "the dream runs")
    return before


def end_daemon():
    if desk.daemon():  # e.g. after a run that hung
        os.kill(desk.daemon(), signal.SIGKILL)
        (discovery.home() / discovery.DAEMON_FILE).unlink()


# Starting the daemon: at first there is none


def check_daemon_not_installed():
    end_daemon()
    yield from desk.new_document()
    launcher = discovery.home() / discovery.LAUNCHER_FILE
    hidden = launcher.rename(launcher.with_suffix(".hidden"))
    try:
        yield from expect_refusal("is not installed", "Install…", "install.py")
    finally:
        hidden.rename(launcher)


def check_daemon_that_fails_to_start():
    yield from desk.new_document()
    launcher = discovery.home() / discovery.LAUNCHER_FILE
    original = launcher.read_text(encoding="utf-8")
    launcher.write_text('{"command": ["sh", "-c", "echo no torch today; exit 1"]}', "utf-8")
    try:
        yield from expect_refusal("did not start", "no torch today", discovery.LOG_FILE)
    finally:
        launcher.write_text(original, encoding="utf-8")


def check_cancel_while_the_daemon_starts():
    document = yield from desk.new_document()
    before = (desk.snapshot(document), desk.history())
    desk.trigger()
    yield from desk.until(
        lambda: "Starting the Dreamlayer daemon" in desk.status(), "the message is shown"
    )
    yield from expect_message(lambda: desk.part(QPushButton, "cancel").click(), "Cancelled")
    assert (desk.snapshot(document), desk.history()) == before, "the document has changed"


def check_message_while_the_daemon_starts():
    yield from desk.new_document()
    end_daemon()
    desk.trigger()
    assert "Starting the Dreamlayer daemon" in desk.status(), desk.status()
    yield from desk.finish()


# Documents and layers


def check_no_document():
    yield from expect_refusal("No picture is open", "open one")


def check_no_layer():
    document = yield from desk.new_document()
    document.activeNode().remove()
    yield 500
    assert document.activeNode() is None
    yield from expect_refusal("No layer is selected")


def check_empty_layer():
    document = yield from desk.new_document()
    empty = document.createNode("Nothing", "paintlayer")
    document.rootNode().addChildNode(empty, None)
    yield from desk.activate(document, empty)
    yield from expect_refusal("“Nothing” is empty")


def check_layer_outside_the_canvas():
    document = yield from desk.new_document()
    outside = document.createNode("Far", "paintlayer")
    outside.setPixelData(desk.drawing(64, 64), 500, 500, 64, 64)
    document.rootNode().addChildNode(outside, None)
    yield from desk.activate(document, outside)
    yield from expect_refusal("“Far” lies outside the canvas")


def check_selection_beside_the_layer():
    document = yield from desk.new_document()
    small = document.createNode("Small", "paintlayer")
    small.setPixelData(desk.drawing(64, 64), 0, 0, 64, 64)
    document.rootNode().addChildNode(small, None)
    select(document, 100, 10, 20, 20)
    yield from desk.activate(document, small)
    yield from expect_refusal("The selection does not touch the layer “Small”")


def check_empty_selection():
    document = yield from desk.new_document()
    select(document, 0, 0, 0, 0)
    yield 300
    assert document.selection() is not None
    yield from expect_refusal("The selection is empty")


def select(document, *rectangle):
    selection = Selection()
    selection.select(*rectangle, 255)
    document.setSelection(selection)


def check_transparency_mask():
    document = yield from desk.new_document()
    mask = document.createTransparencyMask("Veil")
    document.activeNode().addChildNode(mask, None)
    yield from desk.activate(document, mask)
    yield from expect_refusal("“Veil” is a mask", "select the layer")


def check_filter_mask():
    document = yield from desk.new_document()
    blur = desk.app.filter("blur")
    mask = document.createFilterMask("Softly", blur, document.activeNode())
    document.activeNode().addChildNode(mask, None)
    yield from desk.activate(document, mask)
    yield from expect_refusal("“Softly” is a mask")


def check_selection_mask():
    document = yield from desk.new_document()
    mask = document.createSelectionMask("Chosen")
    selection = Selection()
    selection.select(0, 0, 64, 64, 255)
    mask.setSelection(selection)  # Krita crashes when a mask without one becomes active
    document.activeNode().addChildNode(mask, None)
    yield from desk.activate(document, mask)
    yield from expect_refusal("“Chosen” is a mask")


def check_filter_layer():
    document = yield from desk.new_document()
    layer = document.createFilterLayer("Blurred", desk.app.filter("blur"), Selection())
    document.rootNode().addChildNode(layer, None)
    yield from desk.activate(document, layer)
    yield from expect_refusal("“Blurred” has no picture of its own")


def check_group_in_pass_through_mode():
    document = yield from desk.new_document()
    group = document.createGroupLayer("Open")
    group.setPassThroughMode(True)
    document.rootNode().addChildNode(group, None)
    inner = document.createNode("Inner", "paintlayer")
    inner.setPixelData(desk.drawing(64, 64), 0, 0, 64, 64)
    group.addChildNode(inner, None)
    yield from desk.activate(document, group)
    yield from expect_refusal("“Open” is in pass-through mode")


# What the daemon refuses


def check_layer_smaller_than_the_network_sees():
    yield from desk.new_document(12, 9)
    yield from expect_refusal("12 × 9")


def check_unknown_network_layer():
    yield from desk.new_document()
    desk.fill_form(layer="features.99")
    yield from expect_refusal("features.99")


def check_unknown_network():
    yield from desk.new_document()
    desk.fill_form(model="alexnetz")
    try:
        yield from expect_refusal("alexnetz", "squeezenet1_1")
    finally:
        desk.fill_form(model="squeezenet1_1")


def check_unknown_channel():
    yield from desk.new_document()
    desk.fill_form(channels="4000")
    yield from expect_refusal("4000")


def check_channels_that_are_no_numbers():
    yield from desk.new_document()
    desk.fill_form(channels="eyes")
    yield from expect_refusal("channels", "list of numbers", "eyes")


# The daemon later


def check_daemon_of_another_version():
    """With a docker that has no connection yet, as after an update and a restart of Krita."""
    from dreamlayer_krita.docker import DreamDocker

    document = yield from desk.new_document()
    before = (desk.snapshot(document), desk.history())
    docker = DreamDocker()
    original, client.PROTOCOL = client.PROTOCOL, 99
    try:
        docker.dream()
        yield from desk.until(
            lambda: not docker.findChild(QPushButton, "cancel").isEnabled(), "the dream ends"
        )
    finally:
        client.PROTOCOL = original
    message = docker.findChild(QLabel, "message").text()
    for words in (f"protocol {original}", "this program", "protocol 99", "install.py"):
        assert words in message, message
    assert (desk.snapshot(document), desk.history()) == before, "the document has changed"


def check_daemon_killed_in_the_middle():
    document = yield from desk.new_document()
    before = yield from start_long_dream(document)
    first = desk.daemon()
    yield from expect_message(lambda: os.kill(first, signal.SIGKILL), "was lost", CALL_AGAIN)
    assert (desk.snapshot(document), desk.history()) == before, "the document has changed"
    case.screenshot("daemon-killed")
    yield from desk.dream(**desk.QUICK)
    assert desk.daemon() != first
    assert len(document.rootNode().childNodes()) == 2


# The user changes their mind


def check_cancel_in_the_middle():
    document = yield from desk.new_document()
    before = yield from start_long_dream(document)
    yield from expect_message(lambda: desk.part(QPushButton, "cancel").click(), "Cancelled")
    assert (desk.snapshot(document), desk.history()) == before, "the document has changed"
    yield from desk.dream(**desk.QUICK)  # the daemon is free again
    assert len(document.rootNode().childNodes()) == 2


def check_second_call_waits_for_the_first():
    document = yield from desk.new_document()
    yield from start_long_dream(document)
    desk.fill_form(**desk.QUICK)
    desk.trigger()
    assert len(document.rootNode().childNodes()) == 1
    desk.part(QPushButton, "cancel").click()  # the current one
    yield from desk.finish()  # the other one
    assert len(document.rootNode().childNodes()) == 2


def check_document_closed_in_the_middle():
    document = yield from desk.new_document()
    yield from start_long_dream(document)
    yield from expect_message(lambda: desk.close(document), "The picture was closed")


def check_document_closed_at_the_end():
    """The last message arrives a moment after the picture was closed."""
    document = yield from desk.new_document()
    desk.trigger()
    yield from expect_message(lambda: desk.close(document), "The picture was closed")


def check_layer_deleted_in_the_middle():
    document = yield from desk.new_document()
    other = document.createNode("Other", "paintlayer")
    document.rootNode().addChildNode(other, None)
    source = document.nodeByName("Background")
    yield from desk.activate(document, source)
    yield from start_long_dream(document)
    yield from expect_message(source.remove, "“Background” is gone")
    assert desk.children(document.rootNode()) == ["Other"]


def check_layer_undone_in_the_middle():
    document = yield from desk.new_document()
    drawn = document.createNode("Drawn", "paintlayer")
    drawn.setPixelData(desk.drawing(128, 96), 0, 0, 128, 96)
    document.rootNode().addChildNode(drawn, None)
    yield from desk.activate(document, drawn)
    yield from start_long_dream(document)
    yield from expect_message(desk.app.action("edit_undo").trigger, "“Drawn” is gone")
    assert desk.children(document.rootNode()) == ["Background"]


# The docker


def check_form_folds_and_resets():
    yield from desk.new_document()
    more = desk.part(QToolButton, "more")
    tile = desk.part(QSpinBox, "tile")
    assert not tile.isVisible() and desk.part(QSpinBox, "octaves").isVisible()
    more.setChecked(True)
    yield 100
    assert tile.isVisible() and tile.toolTip()
    desk.fill_form(tile=128, strength=0.5)
    desk.part(QPushButton, "defaults").click()
    assert tile.value() == 0 and desk.part(QSpinBox, "octaves").value() == 4
    more.setChecked(False)


def check_error_in_a_slot_is_a_sentence():
    """The test driver quits if an exception leaves a slot; Krita would show a modal dialog."""
    yield from desk.new_document()
    session = desk.session()
    original, session.read = session.read, lambda *_, **__: 1 // 0
    try:
        yield from expect_refusal("plug-in has failed", "ZeroDivisionError")
    finally:
        session.read = original
