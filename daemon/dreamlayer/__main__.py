"""`python -m dreamlayer`: the command line without its script."""

import sys

from dreamlayer.cli import main

sys.exit(main())
