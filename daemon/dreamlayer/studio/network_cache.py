"""The networks that are kept loaded, and how long."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from dreamlayer.engine.objectives import binding
from dreamlayer.networks.network import Network, extract
from dreamlayer.networks.registry import registry
from dreamlayer.runtime import devices
from dreamlink.recipe.recipe import Recipe

NETWORKS_KEPT = 4  # cut networks; a cut at another layer is another one

Key = tuple[
    registry.ModelSpec, tuple[str, ...], str, str
]  # of a network: name, layers, pooling, device


@dataclass
class _Kept:
    network: Network
    last_used: float


class Networks:
    """The networks that were used last, loaded. One thread at a time.

    Args:
        idle: seconds after which one that nobody uses is dropped; 0: never.
        clock: seconds, only ever growing.
    """

    def __init__(self, idle: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle = idle
        self._clock = clock
        self._kept: dict[Key, _Kept] = {}  # the one used last comes last

    @contextlib.contextmanager
    def using(self, recipe: Recipe, device: torch.device) -> Iterator[Network]:
        """The network cut for a recipe, loaded or remembered."""
        layers = binding.layer_names(recipe)
        # By all that is known of it: a user may remove a network and add another by that name.
        key = (registry.find(recipe.model), layers, recipe.pooling, str(device))
        kept = self._kept.pop(key, None)
        if kept is None:
            kept = _Kept(extract(recipe.model, layers, device, recipe.pooling), self._clock())
        self._kept[key] = kept
        while len(self._kept) > NETWORKS_KEPT:
            del self._kept[next(iter(self._kept))]
        try:
            yield kept.network
        finally:
            kept.last_used = self._clock()

    def drop_idle(self) -> float | None:
        """Drop what has been idle for too long; seconds until it is the next one's turn, or None.

        To be called while no network is in use.
        """
        now = self._clock()
        if self._idle <= 0:
            return None
        due = {key: kept.last_used + self._idle - now for key, kept in self._kept.items()}
        over = [key for key, left in due.items() if left <= 0]
        for key in over:
            del self._kept[key], due[key]
        if over:
            devices.free_memory()
        return min(due.values(), default=None)

    def drop_from(self, device: torch.device) -> None:
        """Drop all networks on a device that failed or is full, and free its memory."""
        for key in [key for key in self._kept if key[-1] == str(device)]:
            del self._kept[key]
        devices.free_memory()

    def describe(self) -> list[str]:
        """What is loaded, where, and how it is computed there.

        E.g. ["squeezenet1_1 features.10 on cpu (kernel)"].
        """
        return [
            f"{of.name} {', '.join(layers)} on {at} ({kept.network.executor_name})"
            for (of, layers, _, at), kept in self._kept.items()
        ]
