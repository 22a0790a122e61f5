"""The licences of all that is shipped, as an SPDX 2.3 document.

Files carry their licences beside them (LICENSE, COPYING, LICENSE-*); this is the list of them, for
people and for programs that collect such lists.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from install.archives.sources import Sources

PHOTOS = "Photos by Aitzol Berasategi, via Debian's lomiri-wallpapers."
UNKNOWN = "NOASSERTION"


@dataclass(frozen=True)
class ShippedPart:
    """Something with a licence of its own; `where`: its files, for people."""

    name: str
    version: str
    licence: str  # an SPDX licence expression
    where: str
    credit: str = ""
    source: str = UNKNOWN


def parts(version: str, uv: str, msgpack: str, zig: str) -> list[ShippedPart]:
    """All parts, Dreamlayer first; the arguments are their versions."""
    return [
        ShippedPart("Dreamlayer", version, "MIT", "everything that is not named below"),
        ShippedPart(
            "SqueezeNet-1.1-weights",
            "1.1",
            "BSD-2-Clause AND MIT",
            "squeezenet1_1.safetensors, and pictures of its channels",
            source="https://github.com/forresti/SqueezeNet",
        ),
        ShippedPart(
            "EfficientNet-Lite0-weights",
            "0.1.0",
            "Apache-2.0",
            "efficientnet-lite0.safetensors, and pictures of its channels",
            source="https://github.com/tensorflow/tpu",
        ),
        ShippedPart(
            "msgpack",
            msgpack,
            "Apache-2.0",
            "dreamlink/_vendor/msgpack in the plug-ins",
            source=f"pkg:pypi/msgpack@{msgpack}",
        ),
        ShippedPart(
            "uv",
            uv,
            "MIT OR Apache-2.0",
            "install/uv; uv.cyclonedx.json there lists the libraries in it",
            source=f"pkg:pypi/uv@{uv}",
        ),
        ShippedPart(
            "Zig-runtime",
            zig,
            "MIT AND Apache-2.0 WITH LLVM-exception",
            "in the kernel's libraries in the wheels: functions of Zig's compiler-rt, and templates"
            " of libc++, which the compiler adds",
            source=f"pkg:pypi/ziglang@{zig}",
        ),
        ShippedPart(
            "sample-photos",
            version,
            "CC-BY-4.0",
            "peaks.jpg, and the presets' thumbnails and pictures in docs/pictures made of it",
            credit=PHOTOS,
        ),
    ]


def document(sources: Sources, version: str, shipped: list[ShippedPart]) -> bytes:
    """The SPDX document, in JSON; the first part is the one that contains the others."""
    packages = [_package(part) for part in shipped]
    whole, *others = (package["SPDXID"] for package in packages)
    relations = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", whole)]
    relations += [_relation(whole, "CONTAINS", other) for other in others]
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(sources.seconds))
    content = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"dreamlayer-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/dreamlayer-{version}-{sources.commit}",
        "creationInfo": {"created": made, "creators": [f"Tool: dreamlayer-archives-{version}"]},
        "packages": packages,
        "relationships": relations,
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _package(part: ShippedPart) -> dict[str, Any]:
    package: dict[str, Any] = {
        "SPDXID": f"SPDXRef-{part.name}",
        "name": part.name,
        "versionInfo": part.version,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": part.licence,
        "licenseDeclared": part.licence,
        "copyrightText": UNKNOWN,
        "comment": f"Files: {part.where}.",
    }
    if part.source.startswith("https:"):
        package["downloadLocation"] = f"git+{part.source}"
    if part.source.startswith("pkg:"):
        package["externalRefs"] = [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": part.source,
            }
        ]
    if part.credit:
        package["attributionTexts"] = [part.credit]
    return package


def _relation(first: str, kind: str, second: str) -> dict[str, str]:
    return {
        "spdxElementId": first,
        "relationshipType": kind,
        "relatedSpdxElement": second,
    }
