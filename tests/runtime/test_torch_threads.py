"""Limits of torch's threads, and who does not heed them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from dreamlayer.runtime.torch_threads import at_most, one_thread, threads_without_limits


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    usual = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(usual)


def test_limits_lie_within_each_other() -> None:
    with at_most(3):
        assert torch.get_num_threads() == 3
        with one_thread():
            assert torch.get_num_threads() == 1
        with at_most(8):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 4


def test_the_kernel_s_number_is_that_without_limits() -> None:
    assert threads_without_limits() == 4
    with at_most(2), one_thread():
        assert threads_without_limits() == 4
    torch.set_num_threads(3)
    assert threads_without_limits() == 3


def test_an_error_ends_the_limit() -> None:
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    assert torch.get_num_threads() == 4
    assert threads_without_limits() == 4
