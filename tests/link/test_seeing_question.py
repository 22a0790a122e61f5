"""The question what the networks see, from the pixels to the answer or a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dreamlink.client.client import LinkError
from dreamlink.picture import Picture, Region
from dreamlink.session.inputs import Pixels
from dreamlink.session.seeing import ASKING, Seeing
from dreamlink.wire.messages import Frame, new_id
from dreamlink.wire.seeing import SeeRequest
from tests.link.test_seeing import ANSWER

PICTURE = Pixels(Picture(3, 2), bytes(24))
SELECTION = b"\xff\x00"


class Question:
    """A question over a selection of 2 × 1 pixels, with what it sent and said."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.said: list[str] = []
        self.broken = False
        self.asked = Seeing(PICTURE, Region(1, 0, 2, 1), SELECTION, self._changed)

    def _changed(self) -> None:
        self.said.append(self.asked.text)

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        if self.broken:
            raise LinkError("It is lost.")
        self.sent.append((header, *frames))

    @property
    def id(self) -> str:
        return str(self.sent[0][0]["id"])


@pytest.fixture
def question() -> Question:
    made = Question()
    made.asked.send(made)
    return made


def test_pixels_and_selection_are_sent_once(question: Question) -> None:
    question.asked.send(question)
    ((header, *frames),) = question.sent
    request = SeeRequest.of(header, frames)
    assert (request.picture, request.region, request.mask) == (PICTURE.layout, (1, 0, 2, 1), True)
    assert frames == [PICTURE.frame, SELECTION]
    assert question.said == [ASKING] and not question.asked.over


def test_without_a_selection_no_mask_is_sent() -> None:
    made = Question()
    Seeing(PICTURE, PICTURE.layout.region, None, lambda: None).send(made)
    ((header, *frames),) = made.sent
    assert header["mask"] is False and frames == [PICTURE.frame]


def test_the_answer_is_kept(question: Question) -> None:
    assert question.asked.receive({**ANSWER, "id": question.id}, [bytearray(12)])
    assert question.asked.seen is not None and question.asked.seen.channels[0].name == "7"
    assert question.asked.over and question.said[-1] == ""


def test_messages_of_others_are_not_taken(question: Question) -> None:
    assert not question.asked.receive({**ANSWER, "id": new_id()}, [bytearray(12)])
    assert question.asked.seen is None and not question.asked.over


def test_an_error_is_told(question: Question) -> None:
    header = {"op": "error", "id": question.id, "text": "Nothing is selected."}
    assert question.asked.receive(header, [])
    assert question.said[-1] == "Nothing is selected." and question.asked.seen is None


def test_a_damaged_answer_is_told(question: Question) -> None:
    assert question.asked.receive({**ANSWER, "id": question.id}, [])
    assert "invalid" in question.said[-1] and question.asked.seen is None and question.asked.over


def test_cancelling_tells_the_daemon_and_no_answer_is_taken(question: Question) -> None:
    question.asked.cancel()
    assert question.sent[1:] == [({"op": "cancel", "id": question.id},)]
    assert question.asked.over and question.said[-1] == ""
    assert not question.asked.receive({**ANSWER, "id": question.id}, [bytearray(12)])
    assert question.asked.seen is None


def test_what_was_not_sent_needs_no_cancel() -> None:
    made = Question()
    made.asked.cancel()
    made.asked.send(made)
    assert made.sent == [] and made.asked.over


def test_a_lost_connection_is_told_once(question: Question) -> None:
    question.asked.fail("It is lost.")
    question.asked.fail("Another reason.")
    question.asked.cancel()
    assert question.said[1:] == ["It is lost."] and len(question.sent) == 1


def test_cancelling_over_a_lost_connection_does_nothing(question: Question) -> None:
    question.broken = True
    question.asked.cancel()
    assert question.asked.over
