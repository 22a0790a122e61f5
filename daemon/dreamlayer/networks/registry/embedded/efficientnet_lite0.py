"""EfficientNet-Lite0 up to block 14, without the last block and the classifier.

The network is Google's (https://github.com/tensorflow/tpu, models/official/efficientnet/lite),
described in https://arxiv.org/abs/1905.11946; Lite0 has ReLU6 and no squeeze-and-excite. Modules
have the names of the package `efficientnet_lite_pytorch` 0.1.0, whose weights fit without a change,
and compute the same numbers to the last bit.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor, nn

EPSILON = 1e-3  # of batch norm, in training
STEM = 32  # channels of the first convolution
# Groups of blocks: how many, kernel, stride of the first, expansion of channels, channels behind.
GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
)


class EfficientNetLite0(nn.Module):
    """The network: pictures (1, 3, H, W), in about −1..1, to maps (1, 192, about H/32, W/32)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _PaddedConv(3, STEM, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(STEM, EPSILON)
        self._blocks = nn.ModuleList()
        inputs = STEM
        for count, kernel, stride, expansion, outputs in GROUPS:
            for number in range(count):
                step = 1 if number else stride
                self._blocks.append(MBConvBlock(inputs, outputs, expansion, kernel, step))
                inputs = outputs
        self._swish = nn.ReLU6()  # named for the activation of the larger EfficientNets

    def forward(self, x: Tensor) -> Tensor:
        x = self._swish(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return x


class MBConvBlock(nn.Module):
    """An inverted residual: more channels, a convolution of each by itself, fewer channels."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = expansion * inputs
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = nn.Conv2d(inputs, inner, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(inner, EPSILON)
        self._depthwise_conv = _PaddedConv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = nn.BatchNorm2d(inner, EPSILON)
        self._project_conv = nn.Conv2d(inner, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, EPSILON)
        self._swish = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self._swish(self._bn0(self._expand_conv(x))) if self.expands else x
        inner = self._swish(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return inner + x if self.adds else inner


class _PaddedConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding for sizes that the stride divides.

    TensorFlow pads by the size of the picture, so that tiles would not be exact. In training, at
    224 px, every size was a multiple of its stride; that padding is taken for all sizes.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        before = (kernel - stride) // 2
        behind = kernel - stride - before
        self.static_padding = nn.ZeroPad2d((before, behind, before, behind))

    def forward(self, x: Tensor) -> Tensor:
        padded = self.static_padding(x)
        return F.conv2d(padded, self.weight, None, self.stride, groups=self.groups)
