"""Parser for the text of an `Expression`, by recursive descent.

    expression = ["-"] product { ("+" | "-") product }
    product    = factor { "*" factor }                one of the factors is not a number
    factor     = target | number | "(" expression ")" | "sum(" expression { "," expression } ")"
    target     = layer [ ":" what ] | "class:" name | "kind:" name
    what       = "mean" | "guide" | "cosine" | channel { "," channel } | channel "@" x "," y
               | "direction(" channel [ "=" number ] { channel [ "=" number ] } ")"

The name of a class or kind extends to +, * or a minus with a space on both sides, or is in double
quotes (a quote in it is doubled). In sum(…) a comma followed by a space, or by a layer with a
colon, begins the next expression, and such a name ends at a comma.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import replace

from .errors import ExpressionError, Span, shortened
from .target import Target, Terms, scaled

LENGTH_MAX = 1000  # characters
DEPTH_MAX = 20  # nested brackets
SPACE = re.compile(r"\s*")
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w.])", re.ASCII | re.IGNORECASE)
LAYER = re.compile(r"(?:[a-z_]\w*(?:\.\w+)*|\d+)(?![\w.])", re.ASCII | re.IGNORECASE)
CHANNEL = re.compile(r"\d+(?![\w.])", re.ASCII)
NEXT_CHANNEL = re.compile(r"\s*,\s*(?=\d+(?![\w.]))", re.ASCII)
NEXT_CHANNEL_IN_SUM = re.compile(r"\s*,(?=\d+(?!\s*:|[\w.]))", re.ASCII)
WORD = re.compile(r"[a-z_]\w*", re.ASCII | re.IGNORECASE)
SUM = re.compile(r"sum\s*\(", re.ASCII)
NAMED_TARGET = re.compile(r"(class|kind)\s*:\s*", re.ASCII)
QUOTED = re.compile(r'"((?:[^"]|"")*)"')
NAME = re.compile(r"(?:\([^()]*\)|(?!\s-(?:\s|$))[^+*()])*")
NAME_IN_SUM = re.compile(r"(?:\([^()]*\)|(?!\s-(?:\s|$))[^+*(),])*")
ANYTHING = re.compile(r"[\w.:]+|.?")

TARGET_EXPECTED = (
    "a layer (features.10), a channel of it (features.10:30), kind:NAME or class:NAME was expected"
    " here"
)
WHAT_EXPECTED = (
    "after a layer's colon, enter a channel (30), several (30,115), one place (30@0.5,0.5), mean,"
    " guide, cosine or direction(30 115=0.5)"
)
NAME_EXPECTED = {
    "class": 'after class: enter the name or number of a class, e.g. castle or "tabby cat"',
    "kind": "after kind: enter a kind of things, e.g. dogs or birds",
}
WORDS = ("mean", "guide", "cosine", "direction")


def read(text: str) -> Terms:
    """The weighted targets of a text; raises ExpressionError."""
    if len(text) > LENGTH_MAX or not text.isprintable():
        raise ExpressionError(
            f"What to amplify must be a text of up to {LENGTH_MAX} printable characters, not"
            f" {shortened(text, 60)!r}."
        )
    return _Parser(text).everything()


class _Parser:
    """A text and the position in it. `_brackets` has the open brackets: "(" or "sum("."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._brackets: list[str] = []

    def everything(self) -> Terms:
        terms = self._expression()
        if self._next() < len(self._text):
            raise self._unexpected(
                "only +, - or * can follow here; a channel comes after a colon: 10:30"
            )
        if not terms:
            raise self._error((0, len(self._text)), "all weights are 0")
        return terms

    def _expression(self) -> Terms:
        sign = -1 if self._takes("-") else 1
        terms = scaled(self._product(), sign)
        while True:
            if self._takes("+"):
                terms += self._product()
            elif self._takes("-"):
                terms += scaled(self._product(), -1)
            else:
                return terms

    def _product(self) -> Terms:
        """Numbers and the one factor that they weight, in any order."""
        first = self._next()
        numbers: list[re.Match[str]] = []
        things: list[Terms] = []
        while True:
            factor = self._factor()
            if isinstance(factor, re.Match):
                numbers.append(factor)
            else:
                things.append(factor)
            if not self._takes("*"):
                break
        if len(things) > 1:
            wrong = "a layer can only be multiplied by a number, e.g. features.10*0.5"
            raise self._error((first, self._at), wrong)
        terms = things[0] if things else self._numbered_layer(numbers, (first, self._at))
        for number in numbers:
            terms = scaled(terms, float(number[0]))
        return terms

    def _numbered_layer(self, numbers: list[re.Match[str]], span: Span) -> Terms:
        """The layer of a product that has only numbers: the one whole number."""
        whole = [number for number in numbers if number[0].isdigit()]
        if not whole:
            raise self._error(span, f"there is only a weight; {TARGET_EXPECTED}")
        if len(whole) > 1:
            either, other = whole[0][0], whole[1][0]
            raise self._error(
                span,
                f"the layer could be {either} or {other}; write the weight with a decimal"
                f" point, e.g. {either}*{other}.0",
            )
        numbers.remove(whole[0])
        return ((1.0, Target("squares", whole[0][0], span=whole[0].span())),)

    def _factor(self) -> Terms | re.Match[str]:
        """Targets, or a number."""
        if self._takes("("):
            terms = self._bracketed("(")
            self._expect(")")
            return terms
        if self._match(SUM):
            terms = self._bracketed("sum(")
            while self._takes(","):
                terms += self._bracketed("sum(")
            self._expect(")")
            return terms
        number = NUMBER.match(self._text, self._next())
        if number and not self._text[number.end() :].lstrip().startswith(":"):
            self._at = number.end()
            return number
        return ((1.0, self._target()),)

    def _bracketed(self, bracket: str) -> Terms:
        if len(self._brackets) == DEPTH_MAX:
            raise self._unexpected("too many brackets are nested")
        self._brackets.append(bracket)
        terms = self._expression()
        self._brackets.pop()
        return terms

    def _target(self) -> Target:
        first = self._next()
        named = self._match(NAMED_TARGET)
        if named:
            return Target(named[1], label=self._label(named[1]), span=(first, self._at))
        name = self._match(LAYER)
        if name is None:
            raise self._unexpected(TARGET_EXPECTED)
        what = self._what(name[0]) if self._takes(":") else Target("squares", name[0])
        return replace(what, span=(first, self._at))

    def _label(self, kind: str) -> str:
        quoted = QUOTED.match(self._text, self._at)
        in_sum = self._brackets[-1:] == ["sum("]
        name = quoted or (NAME_IN_SUM if in_sum else NAME).match(self._text, self._at)
        assert name is not None  # it may be empty
        label = name[1].replace('""', '"') if quoted else name[0].strip()
        if not label.strip() or (not quoted and label[0] == '"'):
            raise self._unexpected(NAME_EXPECTED[kind])
        self._at = name.end() if quoted else name.start() + len(name[0].rstrip())
        return label

    def _what(self, layer: str) -> Target:
        """The part after the layer's colon."""
        first = self._next()
        word = self._match(WORD)
        if word is None:
            channels = self._channels()
            if not self._takes("@"):
                return Target("channels", layer, channels)
            if len(channels) > 1:
                raise self._error((first, self._at), "a place takes only one channel")
            return Target("unit", layer, channels, place=self._place())
        if word[0] == "direction":
            channels, weights = self._direction()
            return Target("direction", layer, channels, weights)
        if word[0] in WORDS:
            return Target(word[0], layer)
        near = difflib.get_close_matches(word[0].lower(), WORDS, 1)
        hint = f"perhaps you meant {near[0]}" if near else WHAT_EXPECTED
        raise self._error((first, self._at), hint)

    def _channels(self) -> tuple[int, ...]:
        in_sum = self._brackets[-1:] == ["sum("]
        channels = [self._channel(())]
        while self._match(NEXT_CHANNEL_IN_SUM if in_sum else NEXT_CHANNEL, skip=False):
            channels.append(self._channel(channels))
        return tuple(channels)

    def _channel(self, others: tuple[int, ...] | list[int]) -> int:
        digits = self._match(CHANNEL)
        if digits is None:
            raise self._unexpected(WHAT_EXPECTED)
        if int(digits[0]) in others:
            raise self._error(digits.span(), f"channel {digits[0]} appears twice")
        return int(digits[0])

    def _place(self) -> tuple[float, float]:
        x = self._fraction()
        self._expect(",")
        return x, self._fraction()

    def _fraction(self) -> float:
        first = self._next()
        value = self._number()
        if value is None or not 0 <= value <= 1:
            self._at = first
            raise self._unexpected(
                "after @ enter two numbers from 0 to 1, the position across and down the"
                " picture: 30@0.5,0.5"
            )
        return value

    def _direction(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        first = self._next()
        self._expect("(")
        channels: list[int] = []
        weights: list[float] = []
        while not self._takes(")"):
            channels.append(self._channel(channels))
            weight = self._number() if self._takes("=") else 1.0
            if weight is None or not math.isfinite(weight):
                raise self._unexpected("after = enter the channel's weight, e.g. 30=0.5")
            weights.append(weight)
        if not any(weights):
            raise self._error(
                (first, self._at), "a direction needs a channel whose weight is not 0"
            )
        return tuple(channels), tuple(weights)

    # Characters

    def _number(self) -> float | None:
        number = self._match(NUMBER)
        return float(number[0]) if number else None

    def _next(self) -> int:
        """Skip spaces; returns the position."""
        space = SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._at

    def _match(self, pattern: re.Pattern[str], skip: bool = True) -> re.Match[str] | None:
        """Match the pattern and move past it; with `skip`, spaces before it are skipped."""
        found = pattern.match(self._text, self._next() if skip else self._at)
        if found:
            self._at = found.end()
        return found

    def _takes(self, sign: str) -> bool:
        """Move past the sign if it is next; otherwise stay."""
        space = SPACE.match(self._text, self._at)
        first = space.end() if space else self._at
        there = self._text.startswith(sign, first)
        self._at = first + len(sign) if there else self._at
        return there

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._unexpected(f"a “{sign}” is missing here")

    def _unexpected(self, expected: str) -> ExpressionError:
        """The error at the next word, or at the end."""
        word = ANYTHING.match(self._text, self._next())
        return self._error(word.span() if word else (self._at, self._at), expected)

    def _error(self, span: Span, problem: str) -> ExpressionError:
        return ExpressionError.at(self._text, span, problem)
