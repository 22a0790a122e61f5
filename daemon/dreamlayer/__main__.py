"""The command `dreamlayer`, and `python -m dreamlayer`."""

import sys

from dreamlayer.runtime import allocator


def main() -> int:
    """Run the command line; a daemon's process is restarted first, before anything is imported."""
    if sys.argv[1:2] == ["serve"]:
        allocator.restart_once()
    from dreamlayer.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
