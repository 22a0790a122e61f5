"""Builds networks from their definitions without weights: modules and shapes only."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import torch
from torch import nn

from dreamlayer.networks.registry.catalogue import missing
from dreamlayer.networks.registry.embedded.efficientnet_lite0 import EfficientNetLite0
from dreamlayer.networks.registry.torchvision_import import import_torchvision

EMBEDDED_LITE = "efficientnet-lite0"
LITE = "efficientnet-lite"
LITE_PACKAGE = "efficientnet_lite_pytorch"
# Auxiliary heads are for training; pictures are preprocessed in one step
# (catalogue.MINUS_ONE_TO_ONE).
_PLAIN = {"aux_logits": False, "transform_input": False, "init_weights": False}
_OPTIONS = {"googlenet": _PLAIN, "inception_v3": _PLAIN}


def skeleton(arch: str, classes: int) -> nn.Module:
    """Build an architecture for `classes` classes on the meta device, in eval mode and frozen.

    EfficientNet-Lite0 has no classifier here, whatever `classes` is.

    Raises MissingWeights if the package that defines it is not installed.
    """
    # Networks that are built on the CPU first draw random numbers.
    with torch.random.fork_rng(devices=[]):
        network = _on_meta(arch, classes)
    return network.eval().requires_grad_(False)


def _on_meta(arch: str, classes: int) -> nn.Module:
    if arch == EMBEDDED_LITE:
        with torch.device("meta"):
            return EfficientNetLite0()
    return _of_package(arch, classes) if arch.startswith(LITE) else _torchvision(arch, classes)


def _torchvision(arch: str, classes: int) -> nn.Module:
    models = import_torchvision().models
    options: dict[str, Any] = {"weights": None, "num_classes": classes, **_OPTIONS.get(arch, {})}
    try:
        with torch.device("meta"):
            return models.get_model(arch, **options)  # type: ignore[no-any-return]
    except NotImplementedError:  # a definition that computes its sizes with tensors (RegNet)
        return models.get_model(arch, **options).to("meta")  # type: ignore[no-any-return]


def _of_package(arch: str, classes: int) -> nn.Module:
    """A larger EfficientNet-Lite, with the padding for pictures of its training size.

    TensorFlow's "same" padding depends on the picture's size, so that tiles would not be exact. The
    package uses the padding of the training size for all sizes.
    """
    importlib.invalidate_caches()  # the package may be newer than this daemon process
    if importlib.util.find_spec(LITE_PACKAGE) is None:
        raise missing(arch)
    package = importlib.import_module(LITE_PACKAGE)
    with torch.device("meta"):
        network: nn.Module = package.EfficientNet.from_name(arch, num_classes=classes)
    return network
