"""Fixtures for tests in the real hosts; tests/hosts/session.py says how such a test is written."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from install import roots
from tests.hosts import warm
from tests.hosts.session import SCREENSHOTS, HostSession

# A first run makes the root and starts both hosts for the first time within a test's fixtures.
PATIENCE = 1800  # seconds

_started = time.time()


@pytest.fixture(scope="module", params=roots.SUITES)
def bare_host(request: pytest.FixtureRequest) -> Iterator[HostSession]:
    """A session in each root, without the plug-ins."""
    reason = roots.why_not()
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI has to test in the real hosts. {reason}")
        pytest.skip(reason)
    root = roots.ensure(request.param)
    with HostSession(request.param, root, warm.ensure(request.param, root)) as session:
        yield session


@pytest.fixture(scope="module")
def host(bare_host: HostSession) -> HostSession:
    """A session in each root, with the plug-ins installed."""
    bare_host.install_plugins()
    return bare_host


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        inside = Path(__file__).parent in item.path.parents
        if inside and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(PATIENCE))
    if suite := config.getoption("--suite"):
        others = [item for item in items if _suite(item) != suite]
        items[:] = [item for item in items if _suite(item) == suite]
        config.hook.pytest_deselected(items=others)


def _suite(item: pytest.Item) -> str:
    """The Debian suite that a test runs in; tests that need no root go with the first."""
    call = getattr(item, "callspec", None)
    return str(call.params.get("bare_host", roots.SUITES[0]) if call else roots.SUITES[0])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    taken = [path for path in sorted(SCREENSHOTS.glob("*.png")) if path.stat().st_mtime > _started]
    if taken:
        terminalreporter.section("screenshots of the hosts")
        for path in taken:
            terminalreporter.write_line(str(path))
