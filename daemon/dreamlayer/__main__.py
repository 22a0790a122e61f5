"""The command `dreamlayer`, and `python -m dreamlayer`."""

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", sys.flags.isolated):
    # `python -m` puts the current folder first, in which somebody may have planted modules.
    del sys.path[0]

from dreamlayer.runtime import allocator


def main() -> int:
    """Run the command line; a daemon's process is restarted first, before anything is imported."""
    if sys.argv[1:2] == ["serve"]:
        allocator.restart_once()
    from dreamlayer.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
