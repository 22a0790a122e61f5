"""Inside GIMP: "Dream Again…" over the PDB, and the record stored with a dream's layer."""

import json
import sys
from pathlib import Path

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import (
    FAST,
    PAINTED,
    SUCCESS,
    call,
    deep_dream,
    open_photo,
    photo_part,
    pixels,
    recipe_of,
    run_checks,
    snapshot,
)
from gi.repository import Gegl, Gimp, Gio

RGBA = "R'G'B'A u8"
EARLIER = Path(case.script).parents[2] / "stored" / "dream.xcf"


def again(image, drawables, **arguments):
    return call("plug-in-dreamlayer-again", image, drawables, **arguments)


def check_same_dream_again():
    same_again(FAST)


def check_same_painting_again():
    same_again(PAINTED)


def same_again(recipe):
    image, source = photo_part()
    dream = deep_dream(image, [source], **recipe).layer
    own = pixels(source)
    assert pixels(dream) != own
    other = again(image, [dream]).layer
    assert image.get_layers() == [other, dream, source]
    assert dream.get_name() == f"Dream of Background ({recipe['layer']}, seed 7)"
    assert other.get_name() == dream.get_name() + " #1"  # GIMP wants names to differ
    assert pixels(other) == pixels(dream)
    assert recipe_of(other) == recipe_of(dream)
    assert pixels(source) == own


def check_something_else_again():
    """Arguments that differ from their defaults are changed, and those in the argument recipe."""
    image, source = photo_part()
    dream = deep_dream(image, [source], **FAST, strength=0.5).layer
    other = again(image, [dream], seed=8, recipe='{"octaves": 1, "strength": 1.0}').layer
    assert recipe_of(other) == {**recipe_of(dream), "seed": 8, "octaves": 1, "strength": 1.0}
    assert other.get_name() == "Dream of Background (features.5, seed 8)"
    assert pixels(other) != pixels(dream)
    third = deep_dream(image, [source], **{**FAST, "octaves": 1, "seed": 8}).layer
    assert pixels(other) == pixels(third)


def check_from_the_source():
    """The nearest dream above a layer is the one that is dreamed again."""
    image, source = photo_part()
    far = deep_dream(image, [source], **FAST).layer
    near = deep_dream(image, [source], **{**FAST, "seed": 8}).layer
    image.reorder_item(far, None, 0)
    beside = deep_dream(image, [near], **{**FAST, "seed": 9}).layer
    assert image.get_layers() == [far, beside, near, source]
    other = again(image, [source]).layer
    assert image.get_layers() == [far, beside, other, near, source]
    assert pixels(other) == pixels(near)


def check_source_found_wherever_it_is():
    image, source = photo_part()
    dream = deep_dream(image, [source], **FAST).layer
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    image.reorder_item(dream, group, 0)
    between = source.copy()
    between.set_name("between")
    image.insert_layer(between, None, 1)
    source.set_name("cat")
    other = again(image, [dream]).layer
    assert group.get_children() == [other, dream]
    assert other.get_name() == "Dream of cat (features.5, seed 7)"
    assert pixels(other) == pixels(dream)


def check_without_its_source_a_dream_dreams_itself():
    image, source = photo_part()
    dream = deep_dream(image, [source], **FAST).layer
    image.remove_layer(source)
    other = again(image, [dream]).layer
    assert image.get_layers() == [other, dream]
    assert (
        other.get_name() == "Dream of Dream of Background (features.5, seed 7) (features.5, seed 7)"
    )
    assert pixels(other) == pixels(deep_dream(image, [dream], **FAST).layer)


def softly_selected():
    image, source = open_photo()
    image.crop(120, 90, 180, 80)
    Gimp.context_set_feather(True)
    Gimp.context_set_feather_radius(12, 12)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 30, 20, 60, 50)
    Gimp.context_set_feather(False)
    return image, source


def check_same_place_and_mask():
    """The mask is taken as it is now, painted on; the selection no longer exists."""
    image, source = softly_selected()
    dream = deep_dream(image, [source], **FAST).layer
    Gimp.Selection.none(image)
    other = again(image, [dream]).layer
    assert pixels(other, RGBA) == pixels(dream, RGBA)
    assert pixels(other.get_mask()) == pixels(dream.get_mask())
    mask = dream.get_mask()
    buffer = mask.get_buffer()
    x, y = mask.get_width() // 2, mask.get_height() // 2
    assert set(pixels(mask, "Y u8", (x, y, 5, 4))) == {255}
    buffer.set(Gegl.Rectangle.new(x, y, 5, 4), "Y u8", bytes(range(200, 220)))
    buffer.flush()
    other = again(image, [dream]).layer
    assert tuple(other.get_offsets()) == tuple(dream.get_offsets())
    assert pixels(other.get_mask()) == pixels(mask)
    assert set(pixels(other, "A u8")) == {255}


def check_same_place_as_transparency():
    image, source = softly_selected()
    dream = deep_dream(image, [source], **FAST, selection_as="alpha").layer
    Gimp.Selection.none(image)
    other = again(image, [dream]).layer
    assert tuple(other.get_offsets()) == tuple(dream.get_offsets())
    assert pixels(other.get_mask(), "Y u8") == pixels(dream, "A u8")
    assert pixels(other, "R'G'B' u8") == pixels(dream, "R'G'B' u8")
    assert set(pixels(other, "A u8")) == {255}


def check_another_selection_counts():
    image, source = softly_selected()
    dream = deep_dream(image, [source], **FAST).layer
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 10, 40, 30)
    other = again(image, [dream]).layer
    assert tuple(other.get_offsets())[1:] == (10, 10)
    assert (other.get_width(), other.get_height()) == (40, 30)
    assert set(pixels(other.get_mask(), "Y u8")) == {255}
    assert image.get_layers() == [other, dream, source]


def check_guide_and_strength_map_are_remembered():
    image, source = photo_part()
    guide = source.copy()
    image.insert_layer(guide, None, 0)
    light = Gimp.Layer.new(
        image, "light", 32, 48, Gimp.ImageType.RGBA_IMAGE, 100, Gimp.LayerMode.NORMAL
    )
    image.insert_layer(light, None, 0)
    light.fill(Gimp.FillType.WHITE)
    asked = {**FAST, "layer": "features.5:guide"}
    dream = deep_dream(image, [source], **asked, guide=guide, strength_map=light).layer
    other = again(image, [dream]).layer
    assert pixels(other) == pixels(dream)
    plain = again(image, [dream], layer="features.5:30").layer
    assert recipe_of(plain)["layer"] == "features.5:30"
    assert pixels(plain, RGBA, (40, 0, 20, 48)) == pixels(source, RGBA, (40, 0, 20, 48))
    image.remove_layer(guide)
    answer = again(image, [dream])
    assert "needs a guide" in answer.text, answer


def check_what_is_no_dream():
    image, source = photo_part()
    image.clean_all()
    before = snapshot(image)
    answer = again(image, [source])
    assert "“Background” is not a dream" in answer.text, answer
    source.attach_parasite(Gimp.Parasite.new("dreamlayer-recipe", 1, b"[not JSON"))
    assert "is not a dream" in again(image, [source]).text
    source.attach_parasite(Gimp.Parasite.new("dreamlayer-recipe", 1, b'{"steps": -1}'))
    assert "is not a dream" in again(image, [source]).text
    source.detach_parasite("dreamlayer-recipe")
    image.clean_all()
    assert snapshot(image) == before


def check_image_saved_by_an_earlier_version():
    """Dreamed in a soft selection; the layer's mask is the place of the new dream, too."""
    file = Gio.File.new_for_path(str(EARLIER))
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
    dream, source = image.get_layers()
    assert recipe_of(dream) == {**recipe_of(dream), **FAST, "strength": 0.5}
    other = again(image, [dream]).layer
    assert image.get_layers() == [other, dream, source]
    from dreamlink.recipe.recipe import Recipe

    # Parameters that the earlier version did not have get their defaults.
    assert recipe_of(other) == {**Recipe().to_dict(), **recipe_of(dream)}
    assert pixels(other.get_mask()) == pixels(dream.get_mask())
    assert max(pixels(other.get_mask())) > 0


def check_after_saving_and_loading():
    image, source = photo_part()
    dream = deep_dream(image, [source], **FAST).layer
    file = Gio.File.new_for_path(case.picture + ".xcf")
    assert Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, file, None)
    loaded = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
    kept, _ = loaded.get_layers()
    other = again(loaded, [kept]).layer
    assert pixels(other) == pixels(dream)
    assert other.get_name() == dream.get_name() + " #1"


def check_several_dreams_again():
    """Each with its own recipe."""
    image, source = photo_part()
    one = deep_dream(image, [source], **FAST).layer
    two = deep_dream(image, [source], **{**FAST, "seed": 8}).layer
    assert again(image, [one, two]).status == SUCCESS
    made = image.get_selected_layers()
    assert sorted(recipe_of(layer)["seed"] for layer in made) == [7, 8]
    assert len(image.get_layers()) == 5


def check_last_values():
    """Without an earlier dialog there are no last values: the dream's own recipe is used."""
    image, source = photo_part()
    dream = deep_dream(image, [source], **FAST).layer
    other = call("plug-in-dreamlayer-again", image, [dream], Gimp.RunMode.WITH_LAST_VALS).layer
    assert pixels(other) == pixels(dream)


def check_recipe_as_one_argument():
    image, source = photo_part()
    dream = deep_dream(image, [source], recipe=json.dumps(FAST)).layer
    assert {name: recipe_of(dream)[name] for name in FAST} == FAST
    first = deep_dream(image, [source], preset="strawberries", recipe='{"octaves": 4, "steps": 1}')
    assert (recipe_of(first.layer)["octaves"], recipe_of(first.layer)["steps"]) == (4, 1)
    for text, words in (
        ("octaves=4", "recipe must be JSON"),
        ("[1, 2]", "recipe must be JSON"),
        ("[" * 5000, "recipe must be JSON"),
        ('{"octave": 4}', "did you mean octaves"),
        ('{"steps": 501}', "steps must be between 1 and 500, not 501"),
        ('{"strength": NaN}', "strength must be between 0 and 2, not nan"),
        ('{"colour": "red"}', "colour must be full, capped"),
    ):
        answer = deep_dream(image, [source], recipe=text)
        assert answer.status != SUCCESS
        assert words in answer.text, answer


run_checks(dict(globals()))
case.verdict(finished=True)
