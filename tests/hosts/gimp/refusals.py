"""Inside GIMP: what can't be dreamed on gives one sentence and leaves the image unchanged."""

import json
import subprocess
import sys
import time
from contextlib import contextmanager

import case

sys.path.insert(0, case.arguments["scripts"])
from daemon_process import HOME, daemon_pid, launcher
from desk import FAST, GRAY, PLUGIN, SUCCESS, deep_dream, photo_part, pixels, run_checks, snapshot
from gi.repository import Gegl, Gimp

from dreamlink.wire.messages import PROTOCOL

ENDLESS = {**FAST, "steps": 500, "octaves": 4}


def refuse(image, drawables, *words, **arguments):
    """Call Deep Dream; assert that it fails with these words and changes nothing."""
    image.clean_all()
    before = snapshot(image)
    answer = deep_dream(image, drawables, **{**FAST, **arguments})
    assert answer.status == int(Gimp.PDBStatusType.EXECUTION_ERROR), answer
    for word in words:
        assert word in answer.text, f"{word!r} is not in: {answer.text}"
    assert snapshot(image) == before, "the image changed"


def new_layer(image, name, size, kind=Gimp.ImageType.RGBA_IMAGE):
    layer = Gimp.Layer.new(image, name, *size, kind, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    return layer


# What is selected


def check_no_layer():
    image, _ = photo_part()
    refuse(image, [], "No layer is selected")


def check_layer_mask():
    image, source = photo_part()
    mask = source.create_mask(Gimp.AddMaskType.WHITE)
    source.add_mask(mask)
    refuse(image, [mask], "layer mask is selected", "Layers dialog")


def check_layer_mask_that_is_being_painted_on():
    """Then GIMP itself says that the mask is selected."""
    image, source = photo_part()
    source.add_mask(source.create_mask(Gimp.AddMaskType.WHITE))
    source.set_edit_mask(True)
    refuse(image, image.get_selected_drawables(), "layer mask is selected", "Layers dialog")


def check_channel():
    image, _ = photo_part()
    channel = Gimp.Channel.new(image, "kept", 64, 48, 50, Gegl.Color.new("red"))
    image.insert_channel(channel, None, 0)
    refuse(image, [channel], "A channel is selected")


def check_indexed_image():
    image, source = photo_part()
    image.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, ""
    )
    refuse(image, [source], "indexed colours", "Image > Mode > RGB")


def check_selection_beside_the_layer():
    image, source = photo_part()
    source.set_offsets(100, 0)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 50, 50)
    refuse(image, [source], "selection does not touch", "“Background”")


def check_transparent_layer():
    image, _ = photo_part()
    refuse(image, [new_layer(image, "air", (64, 48))], "“air”", "transparent")


def check_transparent_where_selected():
    image, _ = photo_part()
    layer = new_layer(image, "half", (64, 48))
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 30, 48)
    layer.edit_fill(Gimp.FillType.WHITE)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 34, 0, 25, 48)
    refuse(image, [layer], "“half”", "transparent")


def check_empty_group():
    image, _ = photo_part()
    group = Gimp.GroupLayer.new(image, "nothing")
    image.insert_layer(group, None, 0)
    refuse(image, [group], "“nothing”", "transparent")


def check_floating_selection():
    image, source = photo_part()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 60, 60)
    Gimp.edit_copy([source])
    floating = Gimp.edit_paste(source, True)[0]
    assert floating.is_floating_sel()
    refuse(image, [floating], "floating selection")


def check_locked_layer():
    image, source = photo_part()
    source.set_lock_content(True)
    refuse(image, [source], "The layer “Background” is locked", "Layers dialog")


def check_layer_in_a_locked_group():
    image, source = photo_part()
    group = Gimp.GroupLayer.new(image, "kept")
    image.insert_layer(group, None, 0)
    image.reorder_item(source, group, 0)
    group.set_lock_content(True)
    refuse(image, [source], "The layer group “kept” is locked", "Layers dialog")


def check_locked_layer_among_several():
    image, source = photo_part()
    other = new_layer(image, "other", (64, 48))
    other.fill(Gimp.FillType.WHITE)
    other.set_lock_content(True)
    refuse(image, [source, other], "The layer “other” is locked")


def check_guide_is_missing():
    image, source = photo_part()
    refuse(image, [source], "“features.5:guide” needs a guide", layer="features.5:guide")


def check_guide_that_nothing_asks_for():
    image, source = photo_part()
    guide = new_layer(image, "guide", (64, 48))
    refuse(image, [source], "“features.5:guide”", "choose no guide", guide=guide)


def check_strength_map_beside_the_layer():
    image, source = photo_part()
    strength = new_layer(image, "map", (64, 48))
    strength.set_offsets(64, 0)
    refuse(image, [source], "strength map “map”", strength_map=strength)


def check_tiny_layer():
    image, _ = photo_part()
    tiny = new_layer(image, "tiny", (6, 6), Gimp.ImageType.RGB_IMAGE)
    refuse(image, [tiny], "pixels", layer="features.10")


def check_tiny_layer_among_several():
    """A failure of the second dream must not leave the first one's layer behind."""
    image, source = photo_part()
    tiny = new_layer(image, "tiny", (6, 6), Gimp.ImageType.RGB_IMAGE)
    refuse(image, [source, tiny], "pixels", layer="features.10")


# What is asked for


def check_unknown_network():
    image, source = photo_part()
    refuse(image, [source], "nonsense", "squeezenet1_1", model="nonsense")


def check_unknown_network_layer():
    image, source = photo_part()
    refuse(image, [source], "features.99", layer="features.99")


def check_unknown_channel():
    image, source = photo_part()
    refuse(image, [source], "9999", channels="9999")


def check_channels_that_are_no_numbers():
    image, source = photo_part()
    refuse(image, [source], "list of numbers", channels="ears")


def check_layer_and_channels_that_contradict():
    image, source = photo_part()
    refuse(image, [source], "leave channels empty", layer="10:30", channels="31")


def check_numbers_out_of_range():
    image, source = photo_part()
    refuse(image, [source], "steps must be between 1 and 500, not 501", steps=501)
    refuse(image, [source], "octaves must be between", "not -4", octaves=-4)
    refuse(image, [source], "octave_scale must be between 1.05 and 3, not 9.0", octave_scale=9.0)
    refuse(image, [source], "seed must be between", "not -1", seed=-1)
    refuse(image, [source], "pooling must be max or average, not 'other'", pooling="other")


def check_unknown_preset():
    image, source = photo_part()
    refuse(image, [source], "no preset 'strawberry'", "strawberries", preset="strawberry")


def check_interactive_without_a_display():
    image, source = photo_part()
    image.clean_all()
    before = snapshot(image)
    answer = deep_dream(image, [source], Gimp.RunMode.INTERACTIVE)
    assert "no display" in answer.text, answer
    assert snapshot(image) == before


# The daemon


def check_daemon_killed_in_the_middle():
    image, source = photo_part()
    assert deep_dream(image, [source], **FAST).status == SUCCESS
    killed = daemon_pid()
    subprocess.Popen(["sh", "-c", f"sleep 2; kill -9 {killed}"])
    started = time.monotonic()
    refuse(image, [source], "lost", "unchanged", "again", **ENDLESS)
    assert 2 <= time.monotonic() - started < 10
    assert deep_dream(image, [source], **FAST).status == SUCCESS, "no new daemon came"
    assert daemon_pid() != killed


def check_daemon_not_installed():
    image, source = photo_part()
    with launcher(None):
        refuse(image, [source], "is not installed", "Install…", "install.py")


def check_daemon_that_cannot_start():
    image, source = photo_part()
    with launcher(json.dumps({"command": ["sh", "-c", "echo no room; exit 1"]})):
        refuse(image, [source], "did not start", "no room", "daemon.log")


def check_daemon_whose_program_is_gone():
    image, source = photo_part()
    with launcher(json.dumps({"command": ["/nowhere/python"]})):
        refuse(image, [source], "can't be started", "install.py")


def check_daemon_of_another_version():
    image, source = photo_part()
    real = json.loads((HOME / "launcher.json").read_text())["command"]
    python = real[: real.index("-m")] if "-m" in real else real[:-1]
    program = (
        "import dreamlink.wire.messages as m; m.PROTOCOL = 99;"
        "from dreamlayer.server.main import serve; serve()"
    )
    with launcher(json.dumps({"command": [*python, "-c", program]})):
        refuse(image, [source], "protocol 99", f"protocol {PROTOCOL}", "install.py")


# The plug-in's own files


@contextmanager
def without(path):
    aside = path.with_name(path.name + ".aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


def check_msgpack_missing():
    image, source = photo_part()
    with without(PLUGIN / "dreamlink" / "_vendor"):
        refuse(image, [source], "msgpack is missing", "Run Dreamlayer's install.py again.")


def check_dreamlink_missing():
    image, source = photo_part()
    with without(PLUGIN / "dreamlink"):
        refuse(image, [source], "dreamlink", "Run Dreamlayer's install.py again.")


def check_own_package_missing():
    image, source = photo_part()
    with without(PLUGIN / "dreamlayer_gimp"):
        refuse(image, [source], "dreamlayer_gimp", "Run Dreamlayer's install.py again.")


def check_all_is_well_afterwards():
    image, source = photo_part(base=GRAY)
    assert len(pixels(deep_dream(image, [source], **FAST).layer)) == 64 * 48 * 2


run_checks(dict(globals()))
case.verdict(finished=True)
