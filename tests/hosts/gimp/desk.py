"""Shared by the test scripts inside GIMP: images, calls of Deep Dream, requests to the daemon.

Runs in GIMP's Python, so standard library only.
"""

import hashlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import case
import gi

gi.require_version("Babl", "0.1")
from gi.repository import Babl, Gegl, Gimp, Gio  # noqa: E402

PLUGIN = Path(Gimp.directory()) / "plug-ins" / "dreamlayer-gimp"
sys.path.insert(0, str(PLUGIN))  # the plug-in's own copy of dreamlink

SUCCESS, CANCEL = int(Gimp.PDBStatusType.SUCCESS), int(Gimp.PDBStatusType.CANCEL)
FAST = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7, "context": 40}
PAINTED = {"method": "painted", "layer": "kind:dogs", "steps": 1, "seed": 7, "context": 40}
RGB, GRAY = Gimp.ImageBaseType.RGB, Gimp.ImageBaseType.GRAY


@dataclass
class Answer:
    """The result of a call: its status, the returned layer, the error text."""

    status: int
    returned: Any
    text: str

    @property
    def layer(self) -> Any:
        """The new layer of a successful call."""
        assert self.status == SUCCESS, self
        assert self.returned is not None
        return self.returned


def deep_dream(
    image: Any, drawables: list[Any], mode: Any = Gimp.RunMode.NONINTERACTIVE, **arguments: Any
) -> Answer:
    """Call "Deep Dream…" over the PDB."""
    return call("plug-in-dreamlayer", image, drawables, mode, **arguments)


def call(
    which: str,
    image: Any,
    drawables: list[Any],
    mode: Any = Gimp.RunMode.NONINTERACTIVE,
    **arguments: Any,
) -> Answer:
    """Call a procedure of the plug-in over the PDB."""
    procedure = Gimp.get_pdb().lookup_procedure(which)
    config = procedure.create_config()
    config.set_property("run-mode", mode)
    config.set_property("image", image)
    config.set_core_object_array("drawables", drawables)
    for name, value in arguments.items():
        config.set_property(name.replace("_", "-"), value)
    answer = procedure.run(config)
    status = int(answer.index(0))
    returned = answer.index(1) if status == SUCCESS else None
    return Answer(status, returned, Gimp.get_pdb().get_last_error())


def open_photo() -> tuple[Any, Any]:
    """The test's picture as an image with one layer."""
    file = Gio.File.new_for_path(case.picture)
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
    return image, image.get_layers()[0]


def photo_part(
    width: int = 64,
    height: int = 48,
    precision: Any = Gimp.Precision.U8_NON_LINEAR,
    base: Any = RGB,
    alpha: bool = False,
) -> tuple[Any, Any]:
    """An image of a kind whose one layer is a part of the test's picture (the cat's face)."""
    image, layer = open_photo()
    image.crop(width, height, 180, 80)
    if base == GRAY:
        image.convert_grayscale()
    if image.get_precision() != precision:
        image.convert_precision(precision)
    if alpha:
        layer.add_alpha()
    image.clean_all()
    return image, layer


def new_below(image: Any, layer: Any, colour: str) -> Any:
    """A new layer of one colour, right below another and of its size."""
    size = layer.get_width(), layer.get_height()
    kind, normal = Gimp.ImageType.RGBA_IMAGE, Gimp.LayerMode.NORMAL
    below = Gimp.Layer.new(image, "below", *size, kind, 100, normal)
    image.insert_layer(below, None, image.get_item_position(layer) + 1)
    Gimp.context_set_foreground(Gegl.Color.new(colour))
    below.fill(Gimp.FillType.FOREGROUND)
    return below


def pixels(drawable: Any, form: str = "", box: tuple[int, ...] = ()) -> bytes:
    """A drawable's raw pixels in babl's format `form`, or else in its own."""
    box = box or (0, 0, drawable.get_width(), drawable.get_height())
    data: bytes = drawable.get_buffer().get(
        Gegl.Rectangle.new(*box), 1.0, form or own_format(drawable), Gegl.AbyssPolicy.NONE
    )
    assert data
    return data


def own_format(drawable: Any) -> str:
    """Babl's name of the format in which the drawable's pixels are stored."""
    name: str = Babl.get_name(drawable.get_format())
    return name


def projection(image: Any) -> bytes:
    """What the user sees of the image, as RGBA bytes in the image's own precision."""
    seen = Gimp.Layer.new_from_visible(image, image, "seen")
    data = pixels(seen)
    seen.delete()
    return data


def snapshot(image: Any) -> list[Any]:
    """All that a user could lose in an image: layers, pixels, offsets, masks, unsaved changes."""

    def told(item: Any) -> list[Any]:
        mask = item.get_mask()
        return [
            item.get_id(), item.get_name(), tuple(item.get_offsets()),
            item.get_visible(), int(item.get_mode()), item.get_opacity(),
            hashlib.sha256(pixels(item)).hexdigest(),
            mask and hashlib.sha256(pixels(mask)).hexdigest(),
            [told(child) for child in item.get_children()] if item.is_group() else [],
            item.get_parasite_list(),
        ]  # fmt: skip

    selected = [item.get_id() for item in image.get_selected_layers()]
    return [image.is_dirty(), selected, *(told(layer) for layer in image.get_layers())]


def recipe_of(layer: Any) -> dict[str, Any]:
    """The recipe that was stored with a dream's layer."""
    return dict(json.loads(bytes(layer.get_parasite("dreamlayer-recipe").get_data())))


def ask_daemon(
    data: bytes,
    size: tuple[int, int],
    depth: str,
    order: str,
    recipe: dict[str, Any],
    region: tuple[int, int, int, int] | None = None,
    mask: bytes | None = None,
    dream_map: bytes | None = None,
) -> bytes:
    """The daemon's answer to a request from here, without the plug-in.

    A dream map is as large as the region, R, G, B, A in 8 bits.
    """
    from dreamlink.client.launch import connect
    from dreamlink.picture import Picture, Region
    from dreamlink.recipe.recipe import Recipe
    from dreamlink.session.dream import Dream, State
    from dreamlink.wire.messages import DreamRequest

    picture = Picture(*size, depth, order)
    where = Region(*region) if region else picture.region
    client = connect()
    masked = mask is not None
    layout = Picture(where.width, where.height) if dream_map is not None else None
    request = DreamRequest(
        Recipe.of(recipe), picture, where, mask=masked, clip=masked, dream_map=layout
    )
    dream = Dream(client, request, *(each for each in (data, mask, dream_map) if each is not None))
    while not dream.over:
        message = client.receive(60)
        assert message, "the daemon is silent"
        dream.receive(*message)
    client.close()
    assert dream.state is State.DONE, dream.text
    assert dream.pixels is not None
    return bytes(dream.pixels)


def as_stored(
    image: Any, kind: Any, size: tuple[int, int], form: str, data: bytes, read_form: str
) -> bytes:
    """`data`, stored in the image's precision and read back in the format `read_form`."""
    layer = Gimp.Layer.new(image, "reference", *size, kind, 100, Gimp.LayerMode.NORMAL)
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, *size), form, data)
    buffer.flush()
    stored = pixels(layer, read_form)
    layer.delete()
    return stored


def run_checks(checks: dict[str, Any], after_each: Callable[[], None] = lambda: None) -> None:
    """Run every function whose name begins with check_; the verdict has "ok" or the traceback.

    With the argument only="NAMES" only these run, for use by hand.
    """
    selected = case.arguments.get("only", "").split()
    for name, check in checks.items():
        if name.startswith("check_") and (not selected or name in selected):
            started = time.monotonic()
            case.verdict(**{name: outcome(check)})
            after_each()
            print(f"{name}: {time.monotonic() - started:.1f} s")


def outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except Exception:  # a failed check must not hide the others
        return traceback.format_exc()
    return "ok"
