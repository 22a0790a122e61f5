"""The program for a lent card: one part that fails ends no other, and what is known is written."""

import json
import sys

import pytest
import torch

from tests.bench import card


def test_a_part_that_fails_ends_no_other(tmp_path, monkeypatch, capsys):
    def broken(_):
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    parts = {"machine": card.machine, "twice": broken, "limits": lambda _: {"copied": 1.23456}}
    monkeypatch.setattr(card, "PARTS", parts)
    file = tmp_path / "card.json"
    monkeypatch.setattr(
        sys, "argv", ["card", "--device", "cpu", "--quick", "-o", str(file), "--only", *parts]
    )
    with pytest.raises(SystemExit) as end:
        card.main()
    assert end.value.code
    found = json.loads(file.read_text(encoding="utf-8"))
    assert list(found) == list(parts)
    assert "unspecified launch failure" in found["twice"]["error"]
    text = capsys.readouterr().out
    assert "| limits | copied | 1.235 |" in text
    assert "| twice | error | torch.AcceleratorError: CUDA error" in text


def test_the_card_s_free_memory_is_faked_for_a_drill_only(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (5, 7))
    on = card.Card(torch.device("cuda"), quick=True)
    with card._free_memory(on, 100):
        assert torch.cuda.mem_get_info() == (100, 120)
    assert torch.cuda.mem_get_info() == (5, 7)


@pytest.mark.slow
def test_dreams_twice_are_the_same_bytes():
    rows = card.twice(card.Card(torch.device("cpu"), quick=True))
    assert rows == dict.fromkeys(card.DREAMS, True)
