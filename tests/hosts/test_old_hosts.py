"""Debian 12's Krita 5.1, which has Python plug-ins but not all that this one needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from install import roots
from tests.hosts.session import CHECKOUT, HostSession

HERE = Path(__file__).parent
PHOTO = CHECKOUT / "tests/pictures/chelsea.png"


@pytest.mark.every_way
def test_krita_5_1_says_which_krita_is_needed() -> None:
    with HostSession(roots.OLD_HOSTS, roots.ensure(roots.OLD_HOSTS)) as session:
        session.install_plugins()
        script = HERE / "krita" / "old_krita.py"
        facts = session.run_krita(script, PHOTO, timeout=180).facts()
    assert facts["version"].startswith("5.1.")
    first, second = facts["said"]
    assert first == second
    assert first.startswith("Deep Dream needs Krita 5.2 or newer, and this is Krita 5.1.")
    assert facts["texts"] == ["Deep Dream…", "Deep Dream…"]
    assert facts["dockers"] == []
    assert facts["others"] == []
