"""The atlas as HTML: a first page with all layers and kinds, and a page a layer.

Works from disk, without a server: pictures are parts of the sheets, placed by CSS, and what is
searched is a script. Without scripts everything but search and copying is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

from dreamlayer.atlas.contents import LayerEntry, NetworkEntry
from dreamlayer.thumbnails.sheets import ACROSS, KINDS, LAYERS, SIDE

TRAINED = 224  # px, the side of the pictures that the networks were trained on
SAMPLES = 10  # pictures of a layer on the first page
GENERATOR = '<meta name="generator" content="Dreamlayer atlas">'


def first_page(networks: Sequence[NetworkEntry]) -> str:
    """index.html: for each network its layers from the picture inwards, and its kinds."""
    title = "Atlas of " + " and ".join(network.title for network in networks)
    body = [
        f"<h1>{escape(title)}</h1>",
        "<p>What each part of the network answers to most, imagined from noise. An address such as"
        " <code>network/layer/channel</code> is what Dreamlayer takes as a network layer: in Krita,"
        " in GIMP, and on the command line with <code>--layer</code>.</p>",
        _search(),
        *(part for network in networks for part in _network(network)),
    ]
    return _page(title, body, "")


def layer_page(network: NetworkEntry, layer: LayerEntry) -> str:
    """MODEL/LAYER.html: all channels of a layer."""
    title = f"{layer.name} of {network.title}"
    place = network.layers.index(layer)
    around = [
        f'<a rel="{rel}" href="{escape(other.name)}.html">{arrow}</a>'
        for rel, at, arrow in (
            ("prev", place - 1, f"← {_name(network, place - 1)}"),
            ("next", place + 1, f"{_name(network, place + 1)} →"),
        )
        for other in network.layers[at : at + 1]
        if at >= 0
    ]
    off = layer.count - len(layer.channels)
    silent = f" {off} more {'is' if off == 1 else 'are'} silent or not pictured." if off else ""
    vague = any(channel.vague for channel in layer.channels)
    faint = " Those with a dotted frame show other channels as much." if vague else ""
    cells = (
        _cell(
            f"{network.name}/{layer.name}/{channel.number}",
            str(channel.number),
            _sprite(layer.name, channel.number),
            words=", ".join(channel.kinds),
            vague=channel.vague,
        )
        for channel in layer.channels
    )
    body = [
        f'<nav><a href="../index.html">Atlas</a> {" ".join(around)}</nav>',
        f"<h1>{escape(title)}</h1>",
        f'<div class="facts">{_field(layer)}<p>{len(layer.channels)} channels.{silent}{faint} A'
        f" cell sees {_sees(layer)}; cells are {layer.stride} pixels apart."
        f" The whole layer: {_copied(f'{network.name}/{layer.name}')}</p></div>",
        _search(),
        f'<div class="grid">{"".join(cells)}</div>',
    ]
    return _page(title, body, "../")


def search_script(networks: Iterable[NetworkEntry]) -> str:
    """search.js: what can be found, for the page's script."""
    content = [
        {
            "name": network.name,
            "layers": [
                {
                    "name": layer.name,
                    "channels": [channel.number for channel in layer.channels],
                    "kinds": {c.number: ", ".join(c.kinds) for c in layer.channels if c.kinds},
                }
                for layer in network.layers
            ],
            "kinds": [[kind.name, ", ".join(kind.classes)] for kind in network.kinds],
        }
        for network in networks
    ]
    facts = {"side": SIDE, "across": ACROSS, "networks": content}
    return f"const ATLAS = {json.dumps(facts, separators=(',', ':'))};\n"


def _network(network: NetworkEntry) -> list[str]:
    parts = [f"<h2>{escape(network.title)}</h2><p>{escape(network.summary)}</p>"]
    parts += [_layer_row(network, place) for place in range(len(network.layers))]
    if network.kinds:
        parts.append(f"<h3>Kinds of things in {escape(network.title)}</h3>")
        cells = (
            _cell(
                f"{network.name}/kind:{kind.name}",
                kind.name,
                _sprite(KINDS, number, network.name + "/"),
                words=", ".join(kind.classes),
            )
            for number, kind in enumerate(network.kinds)
        )
        parts.append(f'<div class="grid named">{"".join(cells)}</div>')
    return parts


def _layer_row(network: NetworkEntry, place: int) -> str:
    layer = network.layers[place]
    folder = network.name + "/"
    page = escape(f"{folder}{layer.name}.html")
    step = max(1, len(layer.channels) // SAMPLES)
    shown = layer.channels[::step][:SAMPLES]
    samples = "".join(
        f'<a href="{page}#{c.number}" tabindex="-1" aria-hidden="true">'
        f"{_sprite(layer.name, c.number, folder)}</a>"
        for c in shown
    )
    return (
        f'<section class="layer">{_field(layer)}'
        f'<div><h3><a href="{page}">{escape(layer.name)}</a></h3>'
        f"<p>{len(layer.channels)} channels; a cell sees {_sees(layer)}</p>"
        f'<div class="samples">{_sprite(LAYERS, place, folder)}{samples}</div></div></section>'
    )


def _sees(layer: LayerEntry) -> str:
    return "the whole picture" if layer.field is None else f"{layer.field} × {layer.field} pixels"


def _field(layer: LayerEntry) -> str:
    """The receptive field to scale, over a picture as in training."""
    side = min(layer.field or TRAINED, TRAINED)
    corner = (TRAINED - side) / 2
    text = f"What a cell sees of a picture of {TRAINED} × {TRAINED} pixels: {_sees(layer)}"
    return (
        f'<svg class="field" viewBox="0 0 {TRAINED} {TRAINED}" role="img"><title>{text}</title>'
        f'<rect width="{TRAINED}" height="{TRAINED}"/>'
        f'<rect class="seen" x="{corner:g}" y="{corner:g}" width="{side}" height="{side}"/></svg>'
    )


def _sprite(sheet: str, number: int, folder: str = "") -> str:
    """A picture of a sheet, as a block whose background is placed."""
    row, column = divmod(number, ACROSS)
    return (
        f'<span class="picture" style="background-image:url({folder}{sheet}.webp);'
        f'--x:{column};--y:{row}"></span>'
    )


def _cell(address: str, text: str, picture: str, *, words: str = "", vague: bool = False) -> str:
    """A picture that shows its address when it is chosen."""
    name = address.rpartition("/")[2]
    about = f' data-words="{escape(words)}"' if words else ""
    return (
        f'<a class="cell{" vague" if vague else ""}" id="{escape(name)}" href="#{escape(name)}"'
        f' title="{escape(address)}" data-address="{escape(address)}"{about}>{picture}'
        f"<b>{escape(text)}</b></a>"
    )


def _copied(address: str) -> str:
    return f'<code>{escape(address)}</code> <button class="copy" hidden>Copy</button>'


def _name(network: NetworkEntry, place: int) -> str:
    return escape(network.layers[place].name) if 0 <= place < len(network.layers) else ""


def _search() -> str:
    return (
        '<search hidden><label>Search <input type="search" placeholder="dogs, beagle, 12/104"'
        ' aria-describedby="found"></label><p id="found" role="status"></p>'
        '<div class="grid named" id="results"></div></search>'
    )


def _page(title: str, body: Iterable[str], root: str) -> str:
    content = "\n".join(body)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{GENERATOR}
<title>{escape(title)}</title>
<link rel="stylesheet" href="{root}atlas.css">
<script src="{root}search.js" defer></script>
<script src="{root}atlas.js" defer></script>
</head>
<body data-root="{root}">
<main>
{content}
</main>
<dialog aria-labelledby="chosen"><h2 id="chosen"></h2><span class="picture large"></span>
<p id="about"></p><p><code id="address"></code> <button class="copy">Copy</button></p>
<p><code id="command"></code> <button class="copy">Copy</button></p>
<form method="dialog"><button>Close</button></form></dialog>
</body>
</html>
"""
