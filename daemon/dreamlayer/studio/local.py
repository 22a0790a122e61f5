"""The studio on this computer: pixels → planes → engine → blend → pixels. Keeps networks loaded.

The daemon's compute thread imports and calls this module, which imports torch.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import asdict, replace

import torch

from dreamlayer.compositing import pixels
from dreamlayer.compositing.overlay import Overlay
from dreamlayer.engine import dream as engine
from dreamlayer.engine import grid_look, metrics, quick_look
from dreamlayer.engine.image.planes import ComputedPlane, InsetPlane, copy
from dreamlayer.engine.octave_loop import DreamResult
from dreamlayer.engine.tiling import workers
from dreamlayer.engine.tiling.tile_size import is_measured
from dreamlayer.networks.network import Network, describe, release_memory
from dreamlayer.runtime.allocator import HeapTrimmer
from dreamlayer.runtime.devices import memory
from dreamlayer.runtime.devices.choosing import Devices, describe_device
from dreamlayer.runtime.devices.device import Device
from dreamlayer.runtime.devices.errors import is_out_of_memory
from dreamlayer.runtime.duty_cycle import paced
from dreamlayer.runtime.other_programs import FreeCores, beside_others
from dreamlayer.runtime.plane_storage import MIB, PlaneStorage
from dreamlayer.runtime.torch_threads import one_thread
from dreamlayer.studio.inputs import DecodedRequest, DreamPixels, decode, load_pixels
from dreamlayer.studio.looks import run_looks
from dreamlayer.studio.model_list import kinds_of, local_models
from dreamlayer.studio.network_cache import NetworkCache
from dreamlayer.studio.previews import report_looks, report_octaves
from dreamlayer.studio.progress import LooksProgress, Progress
from dreamlayer.studio.protocol import DreamOverlay, Finished, Listing
from dreamlayer.studio.room import check_room, is_too_small, place_for_planes
from dreamlayer.studio.seeing import see
from dreamlayer.studio.source import SourceImage, to_device
from dreamlayer.studio.warm_start import warm_start
from dreamlink.client import discovery
from dreamlink.recipe import presets
from dreamlink.wire.looks import LooksRequest
from dreamlink.wire.messages import DreamRequest, Frame, Header
from dreamlink.wire.seeing import SeeRequest

log = logging.getLogger(__name__)

CPU = torch.device("cpu")
IN_PIECES = "The graphics card has too little memory for the whole picture: it gets it in pieces…"
LARGE = 4_000_000  # pixels; laying a dream over more takes noticeably long
SENT_AFTER = 2.0  # seconds; by then a result has been sent, and its memory can be released


class LocalStudio:
    """Dreams on this computer. Used by one thread at a time.

    The network of the default recipe is loaded at once, so that the first dream needn't wait.

    Args:
        idle: seconds after which unused networks are unloaded; 0: never.
        map_above: MiB; larger planes are kept in files. 0: those that don't easily fit into the
            free memory.
        threads: how many processor threads work; 0: one for each core.
        duty: percent of the time that they work; they rest for the remainder.
    """

    def __init__(
        self, idle: float = 0.0, map_above: int = 0, threads: int = 0, duty: float = 100.0
    ) -> None:
        workers.shared.limit(threads)
        if threads:
            torch.set_num_threads(workers.shared.count)
        self._duty = duty / 100
        self._free_cores = FreeCores()
        self._room = PlaneStorage(discovery.home(), map_above * MIB)
        self._memory = HeapTrimmer()
        self._sending = False  # whether the last result may still be being sent
        self._devices = Devices()
        self._networks = NetworkCache(idle)
        device, _ = self._devices.choose("auto")
        try:
            with self._networks.using(presets.find(presets.DEFAULT).recipe(), device) as network:
                _warm_up(network)
        except Exception as error:  # whatever a driver says, the daemon has to start
            if device == CPU or isinstance(error, ValueError):
                raise
            log.warning("%s does not work: the CPU dreams", device, exc_info=True)
            if self._devices.give_up(device, error) is None:
                self._devices.fail(device)
            self._networks.drop_from(device)
            device = CPU
        self.device = describe_device(device)

    @property
    def networks(self) -> list[str]:
        """The loaded networks, e.g. "squeezenet1_1 features.10 on cpu (kernel)"."""
        return self._networks.describe()

    def drop_idle(self) -> float | None:
        """Unload networks that have been idle for too long, and return freed memory to the system.

        To be called between two dreams. Returns the seconds until the next call is due, None: not
        before the next dream.
        """
        due = self._networks.drop_idle()
        release_memory()
        self._memory.trim()
        if self._sending:
            self._sending = False
            return SENT_AFTER if due is None else min(due, SENT_AFTER)
        return due

    def models(self) -> list[dict[str, object]]:
        """The networks known on this computer."""
        return local_models()

    def layers(self, model: str) -> Listing:
        """The layers and kinds of a network; raises registry.UnknownModel."""
        return {"layers": [asdict(layer) for layer in describe(model)], "kinds": kinds_of(model)}

    def see(self, request: SeeRequest, frames: Sequence[Frame]) -> tuple[Header, list[Frame]]:
        """What the networks see in a part of a picture; see `Studio.see`.

        On the CPU: a pass over so few pixels takes a fiftieth of a second.
        """
        with one_thread():
            return see(
                request,
                frames,
                lambda model, layers: self._networks.using_layers(model, layers, CPU),
            )

    def dream(
        self,
        request: DreamRequest,
        frames: Sequence[Frame],
        before: DreamOverlay | None = None,
    ) -> Generator[Progress, None, Finished]:
        """Dream as DreamRequest says; `before` is the dream to start from, one of this studio's.

        If the device fails or has too little memory, the dream starts again on the CPU.

        Yields:
            Progress after every tile; closing the generator there cancels the dream.

        Raises:
            ValueError: with a sentence for the user.
        """
        self._sending = True
        if before is not None and not isinstance(before, Overlay):
            raise TypeError(f"{type(before).__name__} is no dream of this studio")
        return (yield from self._dream(decode(request, frames), before))

    def looks(
        self, request: LooksRequest, frames: Sequence[Frame]
    ) -> Generator[LooksProgress, None, None]:
        """Take looks of several recipes; see `Studio.looks`."""

        def dream(one: DreamRequest) -> Generator[Progress, None, Finished]:
            return self._dream(decode(one, frames, in_grid=True), None)

        return run_looks(request, dream)

    def _dream(
        self, inputs: DecodedRequest, before: Overlay | None
    ) -> Generator[Progress, None, Finished]:
        """Dream on the device that is wanted or, if that fails, on the CPU."""
        device, note = self._devices.choose(inputs.device)
        finished: Finished | None = None
        try:
            finished = yield from self._dream_on(device, inputs, before)
        except (RuntimeError, MemoryError) as error:
            note = self._devices.give_up(device, error)
            if note is None:
                raise
        if finished is None:  # outside the except clause, whose traceback keeps the device's memory
            self._networks.drop_from(device)
            yield Progress(0.0, note)
            finished = yield from self._dream_on(CPU, inputs, before)
        if inputs.device == "auto":
            self.device = finished.device
        notes = (*([note] if note else []), *_picture_warnings(inputs), *finished.notes)
        return replace(finished, notes=notes)

    def _dream_on(
        self, device: Device, inputs: DecodedRequest, before: Overlay | None
    ) -> Generator[Progress, None, Finished]:
        yield Progress(0.0, "Loading the network…")
        with self._networks.using(inputs.recipe, device) as network:
            place = place_for_planes(network, inputs)
            if place != CPU:
                try:
                    return (yield from self._paced(network, device, inputs, before, place))
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                # Outside the handler, whose traceback keeps the card's memory. What fitted beside
                # the whole picture says nothing about tiles alone.
                release_memory()
                memory.forget()
                memory.free_memory()
                yield Progress(0.0, IN_PIECES)
            return (yield from self._paced(network, device, inputs, before, CPU))

    def _paced(
        self,
        network: Network,
        device: Device,
        inputs: DecodedRequest,
        before: Overlay | None,
        place: torch.device,
    ) -> Generator[Progress, None, Finished]:
        steps = _dream_with(network, inputs, self._room, before, place)
        if network.runs_on == CPU:
            steps = beside_others(steps, self._free_cores)
        if self._duty < 1 and not inputs.quick:
            steps = paced(steps, self._duty, device, workers.shared.count)
        return (yield from steps)


def _warm_up(network: Network) -> None:
    """Run a network once on a tiny image, so that its code is loaded and its threads started."""
    side = network.minimum + network.stride
    seen = network.run(torch.zeros(1, 3, side, side, dtype=network.dtype, device=network.device))
    seen.backward([torch.zeros_like(cells) for cells in seen.maps])


def _dream_with(
    network: Network,
    inputs: DecodedRequest,
    room: PlaneStorage,
    before: Overlay | None,
    place: torch.device,
) -> Generator[Progress, None, Finished]:
    """Dream with a network, on its device; the pictures are in `place`."""
    recipe, window = inputs.recipe, inputs.window
    # On a graphics card too little memory is an error, and the computer's memory takes over.
    if place.type == "cpu" and not is_too_small(network, inputs):
        check_room(network, inputs, room)
    if not inputs.quick and (text := _what_takes_long(network, inputs)):
        yield Progress(0.0, text)
    loaded = load_pixels(inputs)
    source = to_device(SourceImage(loaded.raw, inputs.picture.layout), place)
    weights = loaded.weights(place)
    guide = None if loaded.guide is None else loaded.guide.to(network.device)
    start = warm_start(before, inputs, loaded, room, place)
    notes = start.notes
    shares = painted = None
    if loaded.dream_map is not None:
        shares, painted = loaded.dream_map.shares.to(place), loaded.dream_map.painted
        notes = (*notes, *([loaded.dream_map.note] if loaded.dream_map.note else []))
    region = loaded.raw[window.rows.slice(), window.columns.slice()]
    if 2 * region.nbytes < loaded.raw.nbytes:
        region = region.copy()  # so that the surroundings needn't be kept

    def overlay_of(dreamt: DreamResult) -> Overlay:
        return _overlay(region, dreamt, inputs, loaded)

    def blend(dreamt: DreamResult) -> Frame:
        return overlay_of(dreamt).blend(recipe)

    if inputs.in_grid:
        grid = grid_look.run_grid_look(
            source, network, recipe, window, inputs.reduced, mask=weights
        )
        dreamt = yield from report_looks(grid, inputs, blend)
    elif inputs.quick:
        looking = quick_look.run_quick_look(
            source, network, recipe, window, inputs.reduced, mask=weights, guide=guide,
            previous_detail=start.detail, carry=inputs.carry, known=start.known, shares=shares,
        )  # fmt: skip
        dreamt = yield from report_looks(looking, inputs, blend)
    else:
        dreaming = engine.dream(
            source, network, recipe, window, mask=weights, guide=guide, allocator=room,
            previous_detail=start.detail, carry=inputs.carry, known=start.known, shares=shares,
        )  # fmt: skip
        dreamt = yield from report_octaves(dreaming, inputs, blend)
    if not inputs.quick and inputs.window.area >= LARGE:
        yield Progress(1.0, "Laying the dream over the picture…")
    overlay = overlay_of(dreamt)
    final = overlay.blend(recipe)

    gain = None
    if inputs.measure_gain:
        if inputs.window.area >= LARGE:
            yield Progress(1.0, "Measuring how much more active the layer is…")
        result = SourceImage(pixels.view(final, inputs.result), inputs.result)
        after = InsetPlane(source, window, to_device(result, place))
        gain = metrics.gain(source, after, network, recipe, window, guide, painted)
    return Finished(
        final,
        overlay,
        describe_device(network.runs_on),
        recipe,
        dreamt.megapixel_steps,
        gain,
        (*notes, *_gradient_warnings(dreamt)),
    )


def _what_takes_long(network: Network, inputs: DecodedRequest) -> str | None:
    """What the user waits for before the first tile is done, if it takes long."""
    if not network.local:
        return f"{network.name} sees the picture only in one piece: each step takes a while…"
    if network.runs_on.type == "cpu" and not inputs.recipe.tile and not is_measured(network):
        return f"Measuring how fast {network.name} is on this computer…"
    return None


def _overlay(
    region: pixels.Raw, dreamt: DreamResult, inputs: DecodedRequest, loaded: DreamPixels
) -> Overlay:
    """The region's pixels (h, w, samples) and what was dreamed there."""
    added, covers = dreamt.detail_plane, dreamt.base_plane is not None
    if dreamt.base_plane is not None:
        copy(ComputedPlane(torch.add, (added, dreamt.base_plane)), added)
    return Overlay(
        region, inputs.result, added, covers, inputs.recipe, loaded.mask, inputs.clip,
        inputs.edges, loaded.strength,
    )  # fmt: skip


def _picture_warnings(inputs: DecodedRequest) -> list[str]:
    """Warnings about non-finite pixels in the picture as it was sent."""
    count = pixels.count_non_finite(inputs.picture.raw, inputs.picture.layout)
    if not count:
        return []
    became = "became black" if inputs.zoom > 1.0 else "stay as they are"
    return [f"Pixels with invalid values (NaN or infinite) {became}: {count}."]


def _gradient_warnings(dreamt: DreamResult) -> tuple[str, ...]:
    """Warnings about non-finite gradients."""
    if not dreamt.non_finite_share:
        return ()
    return (
        "The network returned invalid values (NaN or infinite) for"
        f" {max(dreamt.non_finite_share, 0.001):.1%} of the picture, and nothing was dreamed there:"
        " its weights may be damaged.",
    )
