"""The memory of a graphics card, with stand-ins for what torch tells about it."""

from types import SimpleNamespace

import pytest
import torch

from dreamlayer.runtime.devices import memory

GB = 1 << 30
CARD = torch.device("cuda:0")


@pytest.fixture
def card(monkeypatch):
    """A card's amounts, in GB, and the limit that torch was told."""
    amounts = {"free": 10, "total": 24, "reserved": 0, "allocated": 0, "limits": []}
    monkeypatch.setattr(
        torch.cuda, "mem_get_info", lambda _: (amounts["free"] * GB, amounts["total"] * GB)
    )
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: amounts["reserved"] * GB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: amounts["allocated"] * GB)
    monkeypatch.setattr(
        torch.cuda,
        "set_per_process_memory_fraction",
        lambda share, device: amounts["limits"].append((share, device)),
    )
    monkeypatch.setattr(memory, "_limited", set())
    monkeypatch.setattr(memory, "_fitted", {})
    return amounts


def test_the_budget_is_a_part_of_the_free_memory(card):
    assert memory.memory_budget(CARD) == pytest.approx(7 * GB)


def test_memory_that_torch_holds_for_this_process_counts_as_free(card):
    card.update(free=4, reserved=7, allocated=1)
    assert memory.memory_budget(CARD) == pytest.approx(7 * GB)


def test_what_fitted_once_is_remembered_for_this_card(card):
    memory.remember(CARD, 2 * GB)
    memory.remember(CARD, 3 * GB)
    assert memory.memory_budget(CARD) == 2 * GB
    assert memory.memory_budget(torch.device("cuda:1")) == pytest.approx(7 * GB)
    memory.forget()
    assert memory.memory_budget(CARD) == pytest.approx(7 * GB)


@pytest.mark.parametrize(("total", "share"), [(24, 0.85), (4, 0.75), (1.5, 0.5)])
def test_torch_is_told_once_to_leave_a_part_to_the_painters_program(card, total, share):
    card["total"] = total
    memory.limit(CARD)
    memory.limit(CARD)
    assert card["limits"] == [(pytest.approx(share), CARD)]
    memory.limit(torch.device("cpu"))
    assert len(card["limits"]) == 1


def test_intels_cards_have_a_budget_of_their_own(monkeypatch):
    monkeypatch.setattr(
        torch.xpu, "get_device_properties", lambda _: SimpleNamespace(total_memory=11 * GB)
    )
    monkeypatch.setattr(torch.xpu, "mem_get_info", lambda _: (8 * GB, 16 * GB))
    monkeypatch.setattr(torch.xpu, "memory_reserved", lambda _: 3 * GB)
    monkeypatch.setattr(torch.xpu, "memory_allocated", lambda _: GB)
    assert memory.memory_budget(torch.device("xpu")) == pytest.approx(7 * GB)

    def untold(_):
        raise RuntimeError("The device does not support querying the available free memory.")

    monkeypatch.setattr(torch.xpu, "mem_get_info", untold)
    assert memory.memory_budget(torch.device("xpu")) == pytest.approx(7 * GB)
