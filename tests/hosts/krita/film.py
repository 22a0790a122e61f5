"""Films: every frame of an animated layer, or a dive, become an animated layer in one undo step."""

import case
import desk
import stacks
from krita import QPushButton, QWidget, Selection

SIZE = (0, 0, 128, 96)
TIMES = (0, 2, 5)


def run(_document):
    yield from desk.close_documents()
    desk.docker().setVisible(True)
    desk.docker().raise_()
    desk.app.activeWindow().qwindow().showMaximized()
    yield 500
    yield from desk.run_checks(globals())


def animated(depth="U8", profile="", model="RGBA", same=False):
    """A document with an animated layer above Background, "Cartoon", with frames at TIMES."""
    document = yield from desk.new_document(depth=depth, profile=profile, model=model)
    layer = document.createNode("Cartoon", "paintlayer")
    layer.enableAnimation()
    document.rootNode().addChildNode(layer, document.rootNode().childNodes()[0])
    yield from desk.activate(document, layer)
    for number, time in enumerate(TIMES):
        document.setCurrentTime(time)
        document.waitForDone()
        if not layer.hasKeyframeAtTime(time):
            desk.app.action("add_blank_frame").trigger()
        yield from desk.until(lambda time=time: layer.hasKeyframeAtTime(time), f"frame {time}")
        contrast = 0.3 if same else 0.15 + 0.1 * number
        layer.setPixelData(desk.drawing(128, 96, model, depth, contrast), *SIZE)
    document.setCurrentTime(3)
    document.waitForDone()
    yield 200
    return document, layer


def window():
    return desk.part(QWidget, "film")


def field(name):
    widget = window().findChild(QWidget, name)
    assert widget is not None, f"the window has no {name}"
    return widget


def open_window(kind, **values):
    """Show the film window and fill it in."""
    desk.app.action("dreamlayer_film").trigger()
    yield from desk.until(lambda: window().isVisible(), "the window is shown")
    field(kind).click()
    for name, value in values.items():
        field(name).setValue(value)


def film(kind, **values):
    """Dream a film; returns its layer."""
    document = desk.app.activeDocument()
    before = {node.uniqueId().toString() for node in desk.nodes(document)}
    steps = len(desk.history())
    yield from open_window(kind, **values)
    field("dream_film").click()
    assert not window().isVisible(), field("film_message").text()
    yield from desk.until(lambda: not desk.busy(), "the film is done")
    assert desk.message().startswith("Dreamed "), desk.message()
    yield from desk.until(lambda: len(desk.history()) > steps, "the undo step")
    assert desk.history()[steps:] == ["Add Layer"], desk.history()[steps:]
    new = [n for n in desk.nodes(document) if n.uniqueId().toString() not in before]
    assert len(new) == 1, [n.name() for n in new]
    assert len(desk.app.documents()) == 1, [each.name() for each in desk.app.documents()]
    return new[0]


def frame_in_work():
    words = desk.status().split()  # Frame 3 of 400, …
    return int(words[1]) if words[:1] == ["Frame"] else 0


def select(document):
    """A rectangle with soft edges."""
    selection = Selection()
    selection.select(30, 20, 50, 40, 255)
    selection.feather(5)
    document.setSelection(selection)
    yield from desk.until(lambda: document.selection() is not None, "there is a selection")
    return document.selection()


def frame_times(layer):
    return [time for time in range(12) if layer.hasKeyframeAtTime(time)]


def frame(layer, time):
    return bytes(layer.pixelDataAtTime(*SIZE, time))


def shown_at(document, time):
    document.setCurrentTime(time)
    document.waitForDone()
    return bytes(document.pixelData(*SIZE))


def check_every_frame_dreams():
    document, source = yield from animated()
    untouched = desk.snapshot(document), [frame(source, time) for time in TIMES]
    layer = yield from film("frames", carry=0.5)
    assert document.currentTime() == 3, "the current time has changed"
    assert layer.name() == "Dream of Cartoon (features.10, seed 7)", layer.name()
    assert layer.animated() and frame_times(layer) == list(TIMES), frame_times(layer)
    frames = [frame(layer, time) for time in TIMES]
    for dreamed, drawn in zip(frames, untouched[1], strict=True):
        assert set(dreamed[3::4]) == {255} and dreamed != drawn, "nothing was dreamed"
    assert len(set(frames)) == len(TIMES)
    case.screenshot("film")
    yield from desk.undo()
    assert document.nodeByUniqueID(layer.uniqueId()) is None
    assert [frame(source, time) for time in TIMES] == untouched[1]
    yield from desk.until(
        lambda: desk.snapshot(document) == untouched[0], "the document is as before"
    )
    yield from desk.redo()
    layer = document.nodeByUniqueID(layer.uniqueId())
    assert [frame(layer, time) for time in TIMES] == frames
    path = str(desk.FOLDER / "film.kra")
    assert document.saveAs(path)
    yield from desk.close_documents()
    document = desk.app.openDocument(path)
    layer = document.nodeByUniqueID(layer.uniqueId())
    assert [frame(layer, time) for time in TIMES] == frames
    assert [shown_at(document, time) for time in (0, 1, 2, 4, 5, 9)] == [
        frames[number] for number in (0, 0, 1, 1, 2, 2)
    ]


def check_seed_is_stable_and_detail_is_carried():
    """Equal frames get equal dreams, unless a frame starts from the previous one's dream."""
    yield from stable_and_carried()


def stable_and_carried(**recipe):
    desk.fill_form(**recipe)
    _, source = yield from animated(same=True)
    drawn = frame(source, 0)
    layer = yield from film("frames", carry=0.0)
    first, second, third = [frame(layer, time) for time in TIMES]
    assert first == second == third != drawn, "the seed is not the same"
    yield from desk.close_documents()
    yield from animated(same=True)
    layer = yield from film("frames", carry=0.5)
    carried = [frame(layer, time) for time in TIMES]
    assert carried[0] == first
    assert first not in carried[1:], "nothing was carried"


def check_range_and_selection():
    """Only the frames from first to last are dreamed on, and only in the selection."""
    document, source = yield from animated()
    chosen = yield from select(document)
    place = (chosen.x(), chosen.y(), chosen.width(), chosen.height())
    layer = yield from film("frames", first=1, last=3, carry=0.0)
    assert frame_times(layer) == [0, 1, 2, 5], frame_times(layer)
    assert not any(frame(layer, 0)) and not any(frame(layer, 5)), (
        "it shows something outside its range"
    )
    mask = bytes(chosen.pixelData(*place))
    for time, drawn in ((1, frame(source, 0)), (2, frame(source, 2))):
        dreamed = bytes(layer.pixelDataAtTime(*place, time))
        assert dreamed[3::4] == mask, "the frame's alpha is not the selection"
        assert not any(frame(layer, time)[: 4 * 128 * place[1]]), (
            "it shows something above the selection"
        )
        assert frame(layer, time) != drawn


def check_films_in_other_colour_spaces():
    for model, depth in (("RGBA", "F32"), ("CMYKA", "U8")):
        _, source = yield from animated(depth=depth, model=model)
        layer = yield from film("frames", first=0, last=1, carry=0.0)
        assert (layer.colorModel(), layer.colorDepth()) == (model, depth)
        assert layer.colorProfile() == source.colorProfile()
        assert any(frame(layer, 0)) and frame(layer, 0) != frame(source, 0)
        yield from desk.close_documents()


def check_dive():
    """It begins at the current time, and its frames are all different."""
    document = yield from desk.new_document(contrast=0.2)
    source = document.activeNode()
    document.setCurrentTime(4)
    document.waitForDone()
    layer = yield from film("dive", count=3, zoom=1.25)
    assert frame_times(layer) == [0, 4, 5, 6], frame_times(layer)
    assert not any(frame(layer, 0))
    dreamed = [frame(layer, time) for time in (4, 5, 6)]
    assert len({*dreamed, bytes(source.pixelData(*SIZE))}) == 4


def check_dive_enlarges():
    document = yield from desk.new_document(contrast=0.2)
    source = bytes(document.activeNode().pixelData(*SIZE))
    desk.fill_form(strength=0.0)
    layer = yield from film("dive", count=2, zoom=2.0)
    first, second = frame(layer, 0), frame(layer, 1)
    assert first == source, "strength 0 has changed the picture"
    difference = sum(abs(a - b) for a, b in zip(halved(second), middle(first), strict=True))
    assert difference / (64 * 48 * 3) < 6, "the second frame is not the first's middle, enlarged"
    assert second != first


def halved(pixels):
    """Every second pixel of every second row: the picture at half its size."""
    rows = [pixels[4 * 128 * y : 4 * 128 * (y + 1)] for y in range(0, 96, 2)]
    return [row[4 * x + c] for row in rows for x in range(0, 128, 2) for c in range(3)]


def middle(pixels):
    places = [128 * y + x for y in range(24, 72) for x in range(32, 96)]
    return [pixels[4 * place + c] for place in places for c in range(3)]


def check_cancel_keeps_the_finished_frames():
    document = yield from desk.new_document()
    steps = len(desk.history())
    yield from open_window("dive", count=400, zoom=1.1)
    field("dream_film").click()
    yield from desk.until(lambda: frame_in_work() > 2, "two frames are done")
    case.screenshot("film-progress")
    desk.part(QPushButton, "cancel").click()
    yield from desk.until(lambda: not desk.busy(), "the film is done")
    assert "The finished frames are kept: " in desk.message(), desk.message()
    count = int(desk.message().partition("kept: ")[2].split()[0])
    assert 2 <= count < 400
    layer = document.rootNode().childNodes()[1]
    assert frame_times(layer)[: count + 1] == list(range(min(count + 1, 12))), frame_times(layer)
    assert all(any(frame(layer, time)) for time in range(count))
    assert not any(frame(layer, count)), "the last frame stays visible"
    assert desk.history()[steps:] == ["Add Layer"], desk.history()


def check_cancel_before_the_first_frame():
    document = yield from desk.new_document()
    before = desk.snapshot(document), desk.history()
    desk.fill_form(octaves=4, steps=500, noise=0.1, noise_samples=8)
    yield from open_window("dive", count=3)
    field("dream_film").click()
    yield from desk.until(lambda: desk.status().startswith("Frame 1 of 3"), "the dream runs")
    desk.part(QPushButton, "cancel").click()
    yield from desk.until(lambda: not desk.busy(), "the film is done")
    assert desk.message() == "Cancelled: nothing was changed.", desk.message()
    assert (desk.snapshot(document), desk.history()) == before


def check_closing_the_picture_ends_its_film():
    document = yield from desk.new_document()
    yield from open_window("dive", count=400)
    field("dream_film").click()
    yield from desk.until(lambda: frame_in_work() > 1, "one frame is done")
    desk.close(document)
    yield from desk.until(lambda: not desk.busy(), "the film is done")
    assert "closed" in desk.message(), desk.message()
    assert not desk.app.documents()


def check_refusals():
    document = yield from desk.new_document()
    yield from open_window("dive", count=2)
    assert not field("frames").isEnabled(), "Background has no frames"
    field("frames").setChecked(True)
    yield from expect_refusal("animated")
    yield from select(document)
    before = desk.snapshot(document), desk.history()
    field("dive").setChecked(True)
    yield from expect_refusal("deselect")
    assert (desk.snapshot(document), desk.history()) == before
    yield from desk.close_documents()
    yield from expect_refusal("No picture is open")
    yield from animated()
    yield from open_window("frames", first=3, last=1)
    yield from expect_refusal("before the first")
    window().hide()


def expect_refusal(word):
    field("dream_film").click()
    yield 100
    assert word in field("film_message").text(), field("film_message").text()
    assert window().isVisible() and not desk.busy()


def check_frames_are_read_with_their_masks():
    document, source = yield from animated()
    stacks.inverted(document, source)
    yield from desk.activate(document, source)  # Krita activates the new mask a moment later
    desk.fill_form(strength=0.0)
    looks = [shown_at(document, time) for time in TIMES]
    layer = yield from film("frames", carry=0.0)
    frames = [frame(layer, time) for time in TIMES]
    assert all(map(close, frames, looks)), "the frames are not dreamed as they look"
    assert all(map(close, (shown_at(document, time) for time in TIMES), looks))


def check_film_takes_the_place_of_its_source():
    document, source = yield from animated()
    source.setBlendingMode("multiply")
    desk.fill_form(strength=0.0)
    looks = [shown_at(document, time) for time in TIMES]
    layer = yield from film("frames", carry=0.0)
    assert "“Cartoon” is hidden, because its dream takes its place." in desk.message()
    assert layer.blendingMode() == "multiply" and not source.visible()
    assert all(map(close, (shown_at(document, time) for time in TIMES), looks))
    yield from desk.undo()
    while document.nodeByUniqueID(layer.uniqueId()) is not None:  # the current time was a step
        yield from desk.undo()
    yield from desk.until(source.visible, "the source is back", 5)


def check_film_of_some_frames_leaves_its_source():
    _, source = yield from animated()
    source.setOpacity(128)
    layer = yield from film("frames", first=2, last=3, carry=0.0)
    assert "While the film runs “Cartoon” now counts twice (its opacity is 50 %)" in desk.message()
    assert layer.opacity() == 128 and source.visible()


def close(one, other):
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 1


def check_a_film_is_dreamed_again():
    """The settings of the film are stored with its layer."""
    document, _ = yield from animated()
    layer = yield from film("frames", first=0, last=2, carry=0.5)
    frames = [frame(layer, time) for time in (0, 2)]
    yield from desk.activate(document, layer)
    steps = len(desk.history())
    desk.app.action("dreamlayer_again").trigger()
    yield from desk.until(lambda: not desk.busy(), "the film is done")
    yield from desk.until(lambda: len(desk.history()) > steps, "the undo step")
    above = document.rootNode().childNodes()[3]
    assert above.name() == layer.name() and frame_times(above) == frame_times(layer) == [0, 2, 5]
    assert [frame(above, time) for time in (0, 2)] == frames
    yield from desk.activate(document, layer)
    yield from open_window("frames", carry=0.25)
    desk.app.action("dreamlayer_edit").trigger()
    assert (field("last").value(), field("carry").value()) == (2, 0.5), "other settings are shown"
    yield 500
    case.screenshot("film-window")
    window().hide()
