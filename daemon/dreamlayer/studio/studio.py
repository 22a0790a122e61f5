"""The way of one dream: pixels → planes → engine → blend → pixels. Keeps the networks loaded.

This is what the daemon's compute thread calls; importing it imports torch.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dreamlayer.compositing import pixels
from dreamlayer.compositing.overlay import Overlay
from dreamlayer.engine import dream as engine
from dreamlayer.engine import metrics, quick_look
from dreamlayer.engine.image.planes import ComputedPlane, InsetPlane, copy
from dreamlayer.engine.octave_loop import DreamResult
from dreamlayer.engine.tiling import workers
from dreamlayer.geometry import Span, Window
from dreamlayer.networks.network import Network, describe, release_memory
from dreamlayer.runtime import devices
from dreamlayer.runtime.allocator import HeapTrimmer
from dreamlayer.runtime.devices import Devices
from dreamlayer.runtime.duty_cycle import paced
from dreamlayer.runtime.plane_storage import MIB, PlaneStorage
from dreamlayer.studio.inputs import Given, given
from dreamlayer.studio.network_cache import Networks
from dreamlayer.studio.previews import looked, watched
from dreamlayer.studio.progress import Progress
from dreamlayer.studio.source import Source, on
from dreamlayer.studio.warm_start import carried
from dreamlink.client import discovery
from dreamlink.picture import Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest, Frame

CPU = torch.device("cpu")
SENT = 2.0  # seconds after which a result has been sent, and its memory can be given back


@dataclass(frozen=True)
class Finished:
    """The region's pixels in the request's layout, and how they came about.

    `overlay` makes them again, otherwise blended. `notes` are sentences for the user: what was
    not as it should be, though the dream is there.
    """

    pixels: Frame
    overlay: Overlay
    device: str
    recipe: Recipe
    megapixel_steps: float
    gain: float | None
    notes: tuple[str, ...] = ()


class Studio:
    """Turns requests into pixels. One thread at a time.

    The network of the default recipe is loaded at once, so that the first dream needn't wait.
    `idle` are the seconds after which networks that nobody uses are dropped, 0: never. Planes of
    more than `map_above` MiB are kept in files, 0: of more than free memory easily holds. `threads`
    of the processor's work, 0: one on each core; they work `duty` percent of the time.
    """

    def __init__(
        self, idle: float = 0.0, map_above: int = 0, threads: int = 0, duty: float = 100.0
    ) -> None:
        workers.shared.limit(threads)
        if threads:
            torch.set_num_threads(workers.shared.count)
        self._duty = duty / 100
        self._room = PlaneStorage(discovery.home(), map_above * MIB)
        self._memory = HeapTrimmer()
        self._sending = False  # the last result may be under way
        self._devices = Devices()
        self._networks = Networks(idle)
        device, _ = self._devices.choose("auto")
        try:
            with self._networks.using(Recipe(), device) as network:
                _warm_up(network)
        except RuntimeError as error:
            if self._devices.give_up(device, error) is None:
                raise
            device = CPU
        self.device = devices.describe(device)

    @property
    def networks(self) -> list[str]:
        """The loaded networks, e.g. "squeezenet1_1 features.10 on cpu (kernel)"."""
        return self._networks.describe()

    def drop_idle(self) -> float | None:
        """Drop the networks that nobody has used for long; seconds until this is due again.

        Freed memory goes back to the system. To be called between two dreams. None: not before the
        next dream.
        """
        due = self._networks.drop_idle()
        release_memory()
        self._memory.trim()
        if self._sending:
            self._sending = False
            return SENT if due is None else min(due, SENT)
        return due

    def layers(self, model: str) -> list[dict[str, object]]:
        """The layers of a model; raises registry.UnknownModel."""
        return [asdict(layer) for layer in describe(model)]

    def dream(
        self, request: DreamRequest, frames: Sequence[Frame], before: Overlay | None = None
    ) -> Generator[Progress, None, Finished]:
        """Dream; see DreamRequest for what is asked. `before` is the dream to go on from.

        Yields:
            Progress after every tile; closing the generator there cancels.

        Raises:
            ValueError: with a sentence for the user.
        """
        self._sending = True
        recipe = request.recipe.with_seed()
        _check(request)
        device, note = self._devices.choose(request.device)
        finished: Finished | None = None
        try:
            finished = yield from self._dream_on(device, recipe, request, frames, before)
        except (RuntimeError, MemoryError) as error:
            note = self._devices.give_up(device, error)
            if note is None:
                raise
        if finished is None:  # behind the except clause, which holds on to what lies on the device
            self._networks.drop_from(device)
            yield Progress(0.0, note)
            finished = yield from self._dream_on(CPU, recipe, request, frames, before)
        if request.device == "auto":
            self.device = finished.device
        flaws = _flaws(request, frames)
        return replace(finished, notes=(*([note] if note else []), *flaws, *finished.notes))

    def _dream_on(
        self,
        device: torch.device,
        recipe: Recipe,
        request: DreamRequest,
        frames: Sequence[Frame],
        before: Overlay | None,
    ) -> Generator[Progress, None, Finished]:
        yield Progress(0.0, "Loading the network…")
        with self._networks.using(recipe, device) as network:
            steps = _dream_with(network, recipe, request, frames, self._room, before)
            if self._duty < 1 and not request.quick:
                steps = paced(steps, self._duty, device, workers.shared.count)
            return (yield from steps)


def _warm_up(network: Network) -> None:
    """Use a network once, small: the first dream then finds code loaded and threads begun."""
    side = network.minimum + network.stride
    seen = network.run(torch.zeros(1, 3, side, side, dtype=network.dtype, device=network.device))
    seen.backward([torch.zeros_like(cells) for cells in seen.maps])


def _dream_with(
    network: Network,
    recipe: Recipe,
    request: DreamRequest,
    frames: Sequence[Frame],
    room: PlaneStorage,
    before: Overlay | None,
) -> Generator[Progress, None, Finished]:
    device = network.device
    came = given(request, frames)
    source = on(device, Source(came.raw, request.picture))
    window = _window(request.region)
    weights = _weights(came, device)
    guide = None if came.guide is None else came.guide.to(device)
    start, notes = carried(before, request, device)
    region = came.raw[window.rows.slice(), window.columns.slice()]
    if 2 * region.nbytes < came.raw.nbytes:
        region = region.copy()  # the surroundings needn't be kept

    def over(dreamt: DreamResult) -> Overlay:
        return _overlay(region, dreamt, request, recipe, came)

    def lay(dreamt: DreamResult) -> Frame:
        return over(dreamt).blend(recipe)

    if request.quick:
        looking = quick_look.run_quick_look(
            source, network, recipe, window, request.reduced, mask=weights, guide=guide,
            previous_detail=start, carry=request.carry,
        )  # fmt: skip
        dreamt = yield from looked(looking, request, lay)
    else:
        dreaming = engine.dream(
            source, network, recipe, window, mask=weights, guide=guide, allocator=room,
            previous_detail=start, carry=request.carry,
        )  # fmt: skip
        dreamt = yield from watched(dreaming, request, lay)
    overlay = over(dreamt)
    final = overlay.blend(recipe)

    gain = None
    if request.gain:
        result = Source(pixels.view(final, request.result), request.result)
        after = InsetPlane(source, window, on(device, result))
        gain = metrics.gain(source, after, network, recipe, window, guide)
    return Finished(
        final,
        overlay,
        devices.describe(device),
        recipe,
        dreamt.megapixel_steps,
        gain,
        (*notes, *_flawed(dreamt)),
    )


def _overlay(
    source: pixels.Raw,
    dreamt: DreamResult,
    request: DreamRequest,
    recipe: Recipe,
    came: Given,
) -> Overlay:
    """The region's pixels and what was dreamed there."""
    added, covers = dreamt.detail_plane, dreamt.base_plane is not None
    if dreamt.base_plane is not None:
        copy(ComputedPlane(torch.add, (added, dreamt.base_plane)), added)
    return Overlay(
        source, request.result, added, covers, recipe, came.mask, request.clip, request.own_edges,
        came.strength,
    )  # fmt: skip


def _weights(came: Given, device: torch.device) -> Tensor | None:
    """How much each pixel counts, for the engine: (1, 1, h, w)."""
    weights = came.weights()
    if weights is None:
        return None
    writable = np.require(weights, requirements=["W"])  # torch warns of what can't be written
    return torch.from_numpy(writable)[None, None].to(device)


def _flaws(request: DreamRequest, frames: Sequence[Frame]) -> list[str]:
    """What is to be told of the pixels that came."""
    count = pixels.count_non_finite(pixels.view(frames[0], request.picture), request.picture)
    if not count:
        return []
    became = "became black" if request.zoom > 1.0 else "stay as they are"
    return [f"Pixels that are no numbers (NaN or infinite) {became}: {count}."]


def _flawed(dreamt: DreamResult) -> tuple[str, ...]:
    """What is to be told of the network's numbers."""
    if not dreamt.non_finite_share:
        return ()
    return (
        "The network gave no numbers (NaN or infinite) for"
        f" {max(dreamt.non_finite_share, 0.001):.1%} of the picture, where nothing was dreamed:"
        " its weights may be damaged.",
    )


def _check(request: DreamRequest) -> None:
    """Raise ValueError for what makes no sense together."""
    whole = request.region == request.picture.region and all(request.own_edges)
    if request.recipe.wrap and not whole:
        raise ValueError(
            "A seamless dream (wrap) takes the whole picture: undo the selection, or turn it off."
        )


def _window(region: Region) -> Window:
    return Window(Span(region.y, region.y + region.height), Span(region.x, region.x + region.width))
