"""Which Kritas are told that they are too old, in a Python that may be theirs."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dreamlayer_krita
from dreamlayer_krita.old_krita import is_too_old, sentence


@pytest.mark.parametrize("version", ["5.1.5", "5.0.0", "4.4.8", "5.1.0-beta1 (git 1234567)"])
def test_a_krita_before_5_2_is_too_old(version: str) -> None:
    assert is_too_old(version)
    assert f"this is Krita {version}." in sentence(version)


@pytest.mark.parametrize("version", ["5.2.0", "5.2.9", "5.3.0-prealpha (git abc)", "6.0.1", "?"])
def test_other_kritas_are_not(version: str) -> None:
    assert not is_too_old(version)


@pytest.mark.parametrize("name", ["__init__.py", "old_krita.py"])
def test_an_old_krita_s_python_reads_the_files_that_say_so(name: str) -> None:
    """Krita 5.1 brings Python 3.8 on Windows."""
    source = Path(dreamlayer_krita.__path__[0], name).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
