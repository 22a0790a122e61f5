"""Runs in Windows: start the daemon as a plug-in does, and say how long that took."""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(sys.argv[1]) / "dreamlayer-gimp"))  # the installed plug-in's own link

from dreamlink.client import discovery
from dreamlink.client.launch import connect

began = time.monotonic()
client = connect(discovery.launch_command())
took = time.monotonic() - began
client.close()
print(json.dumps({"seconds": took, "home": str(discovery.home())}))
