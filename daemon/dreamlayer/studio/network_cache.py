"""Networks that stay loaded between dreams, until they are idle or replaced."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dreamlayer.engine.objectives import binding
from dreamlayer.networks.network import Network, extract
from dreamlayer.networks.registry import registry
from dreamlayer.networks.registry.catalogue import EMBEDDED, ModelSpec
from dreamlayer.runtime.devices import memory
from dreamlayer.runtime.devices.device import Device
from dreamlink.recipe.recipe import Recipe

NETWORKS_KEPT = 4  # cut networks; a cut at another layer is another one
SMALL_KEPT = 20  # of those that are part of Dreamlayer: a few MB each, and looks need many at once

Key = tuple[
    registry.ModelSpec, tuple[str, ...], str, str
]  # of a network: specification, layers, pooling, device


@dataclass
class _CachedNetwork:
    network: Network
    last_used: float


class NetworkCache:
    """The networks that were used last, loaded. For one thread at a time.

    Args:
        idle: seconds after which an unused network is dropped; 0: never.
        clock: seconds, monotonic.
    """

    def __init__(self, idle: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle = idle
        self._clock = clock
        self._cached: dict[Key, _CachedNetwork] = {}  # the most recently used is last

    @contextlib.contextmanager
    def using(self, recipe: Recipe, device: Device) -> Iterator[Network]:
        """The network for a recipe, cut at its layers; loaded unless it is in the cache."""
        layers = binding.layer_names(recipe)
        with self.using_layers(recipe.model, layers, device, recipe.pooling) as network:
            yield network

    @contextlib.contextmanager
    def using_layers(
        self, model: str, layers: Sequence[str], device: Device, pooling: str = "max"
    ) -> Iterator[Network]:
        """A network cut at some of its layers, by their full names, as `using` has it."""
        # The key is the whole specification, not the name alone: a user may remove a network and
        # add another one of the same name.
        key = (registry.find(model), tuple(layers), pooling, str(device))
        cached = self._cached.pop(key, None)
        if cached is None:
            cached = _CachedNetwork(extract(model, layers, device, pooling), self._clock())
        self._cached[key] = cached
        self._drop_oldest(NETWORKS_KEPT, lambda spec: spec.weights != EMBEDDED)
        self._drop_oldest(SMALL_KEPT, lambda spec: spec.weights == EMBEDDED)
        try:
            yield cached.network
        finally:
            cached.last_used = self._clock()

    def _drop_oldest(self, kept: int, chosen: Callable[[ModelSpec], bool]) -> None:
        """Keep no more than so many of the chosen networks."""
        keys = [key for key in self._cached if chosen(key[0])]
        for key in keys[: max(0, len(keys) - kept)]:
            del self._cached[key]

    def drop_idle(self) -> float | None:
        """Drop networks that have been idle for too long; must not be called while one is in use.

        Returns the seconds until the next network is due, or None if there is none.
        """
        now = self._clock()
        if self._idle <= 0:
            return None
        left = {key: cached.last_used + self._idle - now for key, cached in self._cached.items()}
        expired = [key for key, seconds in left.items() if seconds <= 0]
        for key in expired:
            del self._cached[key], left[key]
        if expired:
            memory.free_memory()
        return min(left.values(), default=None)

    def drop_from(self, device: Device) -> None:
        """Drop all networks on a device that failed or is full, and free its memory."""
        for key in [key for key in self._cached if key[-1] == str(device)]:
            del self._cached[key]
        memory.free_memory()

    def describe(self) -> list[str]:
        """Which networks are loaded, where, and what computes them.

        E.g. ["squeezenet1_1 features.10 on cpu (kernel)"].
        """
        return [
            f"{spec.name} {', '.join(layers)} on {device} ({cached.network.executor_name})"
            for (spec, layers, _, device), cached in self._cached.items()
        ]
