"""Expressions: parsing, algebra, canonical text and errors."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlink.recipe import expression as ex
from dreamlink.recipe.expression import Expression, ExpressionError, Target, parse


def terms(text: str) -> list[tuple[float, Target]]:
    return list(parse(text).terms)


# What can be written.

TARGETS = {
    "features.10": Target("squares", "features.10"),
    "10": Target("squares", "10"),
    "inception4c": Target("squares", "inception4c"),
    "layer3.1.conv2:mean": Target("mean", "layer3.1.conv2"),
    "10:30": Target("channels", "10", (30,)),
    " 10 : 30 , 115 ": Target("channels", "10", (30, 115)),
    "10:30@0.5,.25": Target("unit", "10", (30,), place=(0.5, 0.25)),
    "10:direction(3 7=0.5 9=-2)": Target("direction", "10", (3, 7, 9), (1.0, 0.5, -2.0)),
    "10:guide": Target("guide", "10"),
    "10:cosine": Target("cosine", "10"),
    "class:castle": Target("class", label="castle"),
    "class:483": Target("class", label="483"),
    "class: jack-o'-lantern ": Target("class", label="jack-o'-lantern"),
    "class:black-and-tan coonhound": Target("class", label="black-and-tan coonhound"),
    "class:crane (the bird)": Target("class", label="crane (the bird)"),
    'class:"lakeside, lakeshore"': Target("class", label="lakeside, lakeshore"),
    'class:"one - two"': Target("class", label="one - two"),
    "kind:dogs": Target("kind", label="dogs"),
    "kind: wolves and foxes ": Target("kind", label="wolves and foxes"),
    'class:"a + ""b"" * c"': Target("class", label='a + "b" * c'),
    "kind: big cats ": Target("kind", label="big cats"),
}


@pytest.mark.parametrize(("text", "target"), TARGETS.items(), ids=TARGETS)
def test_a_target_is_parsed_with_its_span(text: str, target: Target) -> None:
    ((weight, read),) = terms(f"3 + {text} + 4")[1:2]
    assert (weight, read) == (1.0, target)
    assert f"3 + {text} + 4"[slice(*read.span)] == text.strip()
    assert parse(str(target)).terms == ((1.0, target),)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("10+12", "10 + 12"),
        ("-10-12", "-10 - 12"),
        ("0.5*10", "10*0.5"),
        ("10*.5*4.0", "10*2.0"),
        ("2*10:3", "10:3*2"),
        ("10*-0.5", "-10*0.5"),
        ("2*(10 - 0.5*(12:1 + 12:2))", "10*2.0 - 12:1 - 12:2"),
        ("10 - (12 - 3)*2", "10 - 12*2.0 + 3*2.0"),
        ("10 + 12*0.0", "10"),
        ("sum(10:30,50, 12, class:a b,class:c - d)", "10:30,50 + 12 + class:a b + class:c - d"),
        ("sum(10:30,12:4,5)*3", "10:30*3 + 12:4,5*3"),
        ("(class:castle)*2 - class:a-b - 10", "class:castle*2 - class:a-b - 10"),
        ("sum(kind:dogs, 10)*2 - kind:big cats", "kind:dogs*2 + 10*2.0 - kind:big cats"),
        ("sum(10:3@0.5,0.5,(class:a, b))", '10:3@0.5,0.5 + class:"a, b"'),
    ],
)
def test_terms_are_added_and_weighted(text: str, same: str) -> None:
    assert parse(text) == parse(same)
    assert str(parse(text)) == same


def test_an_expression_lists_layers_and_needs() -> None:
    asked = parse("12:3 + 10 - 12:5 + class:castle")
    assert asked.layers == ("12", "10")
    assert (asked.needs_classes, asked.needs_guide) == (True, False)
    assert parse("10:guide").needs_guide
    assert parse("3 + 10:cosine").needs_guide
    assert not parse("10").needs_classes


# In Python.


def test_expressions_have_an_algebra() -> None:
    pieces = [ex.layer("10") * 2, ex.channel("3", 1, 2), ex.mean("4"), ex.unit("3", 7, 0, 1)]
    total = sum(pieces) - 0.5 * ex.class_("castle") + -ex.class_(7)
    total += ex.direction("5", {3: 1, 4: 0.25}) - (ex.guide("6") + ex.cosine("7"))
    assert isinstance(total, Expression)
    assert str(total) == (
        "10*2.0 + 3:1,2 + 4:mean + 3:7@0,1 - class:castle*0.5 - class:7"
        " + 5:direction(3 4=0.25) - 6:guide - 7:cosine"
    )
    assert total == parse(str(total))
    for _, target in total.terms:
        assert total.text[slice(*target.span)] == str(target)


@pytest.mark.parametrize(
    "wrong",
    [lambda: ex.layer("a b"), lambda: ex.layer("10:30"), lambda: ex.channel("10"),
     lambda: ex.channel("10", -1), lambda: ex.unit("10", 3, 0.5, 1.5), lambda: ex.class_(" "),
     lambda: ex.direction("10", {}), lambda: ex.direction("10", {3: 0.0}), lambda: ex.mean(""),
     lambda: ex.class_("a\nb"), lambda: ex.layer("10") * 0, lambda: ex.layer("10") * float("nan"),
     lambda: sum([ex.layer("10")] * 33)],
)  # fmt: skip
def test_invalid_targets_can_not_be_constructed(wrong: Any) -> None:
    with pytest.raises(ExpressionError, match=r"\.$"):
        wrong()


# Mistakes


@pytest.mark.parametrize(
    ("text", "quoted", "told"),
    [
        ("", "»«", "features.10"),
        ("features.10 + ", "features.10 + »«", "class:NAME"),
        ("features 10", "features »10«", "+, - or *"),
        ("10,30", "10»,«30", "10:30"),
        ("10:", "10:»«", "30,115"),
        ("12 - 10:mena", "12 - 10:»mena«", "you meant mean"),
        ("10:xyz", "10:»xyz«", "direction("),
        ("10:-1", "10:»-«1", "channel"),
        ("10:3,3", "10:3,»3«", "twice"),
        ("10:1,2@0.5,0.5", "10:»1,2@«0.5,0.5", "one channel"),
        ("10:3@50,0.5", "10:3@»50«,0.5", "0 to 1"),
        ("10:3@0.5", "10:3@0.5»«", "“,”"),
        ("10:direction()", "10:direction»()«", "not 0"),
        ("10:direction(3=x)", "(3=»x«)", "weight"),
        ("class:", "class:»«", "castle"),
        ('class:"castle', 'class:»"«castle', "castle"),
        ("(10 + 12", "(10 + 12»«", "“)”"),
        ("10)", "10»)«", "+, - or *"),
        ("10 + kind:", "kind:»«", "dogs or birds"),
        ("10:3*12:4", "»10:3*12:4«", "by a number"),
        ("0.5", "»0.5«", "only a weight"),
        ("3 + 2*10", "3 + »2*10«", "2 or 10"),
        ("10*0.0", "»10*0.0«", "all weights are 0"),
        ("(" * 30 + "10" + ")" * 30, "»(«", "too many brackets"),
        ("features.10:30 + " * 4 + "é", "“…30 + features.10:30 + features.10:30 + »é«", "NAME"),
    ],
)  # fmt: skip
def test_a_mistake_is_quoted_and_marked_with_advice(text: str, quoted: str, told: str) -> None:
    with pytest.raises(ExpressionError, match=rf"{re.escape(quoted)}.*{re.escape(told)}.*\.$"):
        parse(text)


@pytest.mark.parametrize("text", ["10*1e9", "10*1e999", "+".join(["10"] * 33), "1" * 1001, "1\n2"])
def test_expressions_beyond_the_limits_are_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"(at most|too many|characters).*\.$"):
        parse(text)


# Whatever is written.

NAMES = r"[a-z_][a-z0-9_]{0,3}(\.[a-z0-9_]{1,3}){0,2}|[0-9]{1,2}"
LAYERS = st.from_regex(NAMES, fullmatch=True)
NUMBERS = st.lists(st.integers(0, 3000), min_size=1, max_size=4, unique=True)
WEIGHTS = st.floats(1e-6, 1000) | st.floats(-1000, -1e-6) | st.integers(1, 20).map(float)
DIRECTIONS = st.dictionaries(st.integers(0, 99), WEIGHTS, min_size=1, max_size=3)
PLACES = st.floats(0, 1)
LABELS = st.text(st.sampled_from("ab -'\",+*()=@:.1é"), min_size=1, max_size=12)
SINGLE = st.one_of(
    st.builds(ex.layer, LAYERS),
    st.builds(ex.mean, LAYERS),
    st.builds(lambda name, numbers: ex.channel(name, *numbers), LAYERS, NUMBERS),
    st.builds(ex.unit, LAYERS, st.integers(0, 3000), PLACES, PLACES),
    st.builds(ex.direction, LAYERS, DIRECTIONS),
    st.builds(ex.guide, LAYERS),
    st.builds(ex.cosine, LAYERS),
    st.builds(ex.class_, LABELS.filter(str.strip)),
    st.builds(ex.kind, LABELS.filter(str.strip)),
)  # fmt: skip


@given(st.lists(st.tuples(SINGLE, WEIGHTS), min_size=1, max_size=5))
def test_the_canonical_text_parses_as_the_same_expression(
    parts: list[tuple[Expression, float]],
) -> None:
    whole = sum(single * weight for single, weight in parts)
    assert isinstance(whole, Expression)
    assert parse(str(whole)) == whole
    assert str(parse(str(whole))) == str(whole)


@given(st.text(st.sampled_from('10 :,.*+-()@=="abclsum guide kind')) | st.text(max_size=40))
def test_any_text_is_an_expression_or_an_error_of_one_sentence(text: str) -> None:
    try:
        expression = parse(text)
    except ExpressionError as error:
        assert str(error).endswith(".")
        assert str(error).isprintable()
    else:
        assert parse(str(expression)) == expression
