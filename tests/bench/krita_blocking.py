"""How long a dream keeps Krita from answering: python -m tests.bench.krita_blocking [forky].

A picture of 100 megapixels (U8, 400 MB) is open in a real Krita, 512 × 512 pixels are selected, and
the layer dreams three times. Krita's event loop runs a timer every 10 ms. The bench reports

- how long the action's call took, with nothing painted meanwhile;
- the longest pause of the event loop until the finished layer is handed to Krita, and the longest
  one before, when nothing was asked;
- how much Krita's memory grew at its peak until then: an array of the document's size would show;
- how long Krita's own `addChildNode` took. It composes the whole picture, however small the layer
  is; a plug-in has no other way to add one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from install import roots
from tests.hosts import warm
from tests.hosts.session import CHECKOUT, VERSIONS, HostSession

SCRIPT = Path(__file__).parent / "inside/krita_blocking.py"
LIMIT = 150  # ms that the action's call may take


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", nargs="?", default="trixie", choices=VERSIONS)
    parser.add_argument("--side", type=int, default=10000, help="pixels; a multiple of 1000")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    root = roots.ensure(arguments.suite)
    with HostSession(arguments.suite, root, warm.ensure(arguments.suite, root)) as session:
        session.install_plugins()
        facts = session.run_krita(
            SCRIPT,
            timeout=600,
            folder=str(session.folder),
            checkout=str(CHECKOUT),
            side=arguments.side,
            turns=arguments.turns,
        ).facts()
    print(f"Krita {VERSIONS[arguments.suite].krita}, {arguments.side}² pixels, 512² selected")
    for turn, figures in enumerate(facts["figures"], 1):
        print(
            f"dream {turn}: the action's call {figures['call']:.0f} ms (allowed: {LIMIT}); the"
            f" longest pause {figures['pause']:.0f} ms (idle: {figures['idle']:.0f} ms); memory"
            f" +{figures['memory']:.0f} MB; then Krita's own adding {figures['adding']:.0f} ms"
        )


if __name__ == "__main__":
    main()
