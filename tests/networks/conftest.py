"""Fixtures of several test files."""

from __future__ import annotations

import pytest
import torch

from dreamlayer.networks.executors.kernel import library
from tests.networks.kernel_checks import VARIANTS


@pytest.fixture(params=VARIANTS)
def variant(request, monkeypatch):
    monkeypatch.setenv(library.VARIANT, request.param)
    assert library.library().variant == request.param
    return request.param


@pytest.fixture
def usual_threads():
    usual = torch.get_num_threads()
    yield
    torch.set_num_threads(usual)
