"""A plug-in without its libraries: action and docker exist and say what to do."""

import sys
from pathlib import Path

import case
import desk
from krita import QLabel


def run(_document):
    yield 500
    desk.trigger()
    yield 300
    case.verdict(
        without_msgpack=desk.message(),
        visible=desk.docker().isVisible(),
        without_dreamlink=without_dreamlink(),
    )
    case.screenshot("incomplete")


def without_dreamlink():
    """The message of a docker that is created while the whole shared package is missing."""
    from dreamlayer_krita.docker import DreamDocker

    libraries = Path(sys.modules["dreamlayer_krita"].__file__).with_name("lib")
    (libraries / "dreamlink").rename(libraries / "hidden")
    for name in [
        n for n in sys.modules if n.startswith(("dreamlink", "dreamlayer_krita.ui.panel"))
    ]:
        del sys.modules[name]
    docker = DreamDocker()
    docker.dream()
    return docker.findChild(QLabel, "message").text()
