"""The state of one docker and what can be done with it, without widgets. No Qt here.

Widgets subscribe to the observables and call the methods; they do not know of each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from krita import Krita

from dreamlink.picture import Picture
from dreamlink.recipe import presets
from dreamlink.recipe.recipe import PARAMETERS, Recipe, RecipeError, Value
from dreamlink.session.dream import State
from dreamlink.wire.messages import Frame

from ..document import layer_io
from ..qt.guard import guarded
from ..qt.listener import ConnectionState
from . import live_layer
from .daemon_link import DaemonLink
from .editing import EditedDream, RepeatedFilm
from .jobs import DreamJob, FinishedDream
from .observable import Event, Observable

SETTINGS = ("dreamlayer", "recipe")  # group and name in Krita's own configuration
Connect = Callable[[Callable[[str], None], Callable[[], None]], DaemonLink]


class Message(NamedTuple):
    """A sentence for the user, or "".

    Attributes:
        aloud: whether it is shown over the picture too, not only in the docker.
    """

    text: str
    aloud: bool = True


class ConnectionStatus(NamedTuple):
    """The connection's state, and what the user is told about it, or ""."""

    state: ConnectionState
    sentence: str = ""


class RunningJob(Protocol):
    """A `DreamJob` or a `Film`; the attributes are those of `DreamJob`."""

    state: State
    fraction: float | None
    text: str
    source: layer_io.LayerSource
    recipe: Recipe

    @property
    def over(self) -> bool: ...
    def start(self) -> None: ...
    def cancel(self) -> None: ...
    def tell_daemon_to_stop(self) -> None: ...


class Session:
    """Reads layers, starts dreams, and holds what the docker shows.

    Attributes:
        message: the last sentence for the user.
        link: the connection to the daemon.
        connection: its state.
        jobs: the dreams that are not over, in the order in which they were started; set again each
            time one of them makes progress.
        recipe_values: a value for each parameter of a recipe; together they may not be a valid
            recipe while the user types.
        guide: the unique id of the layer chosen as guide, or None.
        strength_map: the unique id of the layer or mask chosen as strength map, or "selection", or
            None.
        dream_map: the unique id of the layer chosen as dream map, or None.
        editing: the dreamed layer whose settings are being changed, or None.
        preview: the dream so far, of a picture that is too large to show it on the canvas; or None.
        finished: each dream that has become a layer of a document.
        film_requested: the user wants to choose a film's settings; for a film that is dreamed
            again, which one.
    """

    def __init__(self, connect: Connect, soon: Callable[[Callable[[], None]], None]) -> None:
        """Nothing is connected yet.

        Args:
            connect: makes the link from two callbacks: one that shows a sentence to the user, and
                one for each change of the connection.
            soon: calls a function once the host has processed its events.
        """
        self.message = Observable(Message(""))
        self.connection = Observable(ConnectionStatus(ConnectionState.CLOSED))
        self.jobs: Observable[list[RunningJob]] = Observable([])
        default = presets.find(presets.DEFAULT).recipe()
        self.recipe_values: Observable[dict[str, Value]] = Observable(default.to_dict())
        self.guide: Observable[Any] = Observable(None)
        self.strength_map: Observable[Any] = Observable(None)
        self.dream_map: Observable[Any] = Observable(None)
        self.editing: Observable[EditedDream | None] = Observable(None)
        self.preview: Observable[tuple[Picture, Frame] | None] = Observable(None)
        self.finished: Event[FinishedDream] = Event()
        self.film_requested: Event[RepeatedFilm | None] = Event()
        self.link = connect(self.say, self._connection_changed)
        self._soon = soon

    def say(self, text: str, aloud: bool = True) -> None:
        """Show a sentence to the user; `aloud`: over the picture too."""
        self.message.set(Message(text, aloud))

    def soon(self, call: Callable[[], None]) -> None:
        """Call a function once the host has processed its events; an error becomes a sentence."""
        self._soon(guarded(call, self.say))

    def recipe(self) -> Recipe:
        """The recipe that the values make; raises RecipeError."""
        return Recipe.of(self.recipe_values.value)

    @property
    def has_bindings(self) -> bool:
        """Whether the colours of a dream map say what is dreamed, instead of the network layer."""
        return bool(str(self.recipe_values.value["bind"]).strip())

    def show_recipe(self, values: Recipe | Mapping[str, object]) -> None:
        """Set some of the recipe's values; those unknown or out of range are ignored.

        Such values come from settings stored by a version with other parameters or limits.
        """
        new_values = values.to_dict() if isinstance(values, Recipe) else values
        accepted = dict(self.recipe_values.value)
        for name, value in new_values.items():
            if name in PARAMETERS:
                try:
                    accepted[name] = PARAMETERS[name].check(value)
                except RecipeError:
                    continue
        self.recipe_values.set(accepted)

    def restore_recipe(self) -> None:
        """Set the recipe of the last dream, which may have been in an earlier run of Krita."""
        try:
            values = json.loads(Krita.instance().readSetting(*SETTINGS, "{}"))
        except ValueError:
            return
        if isinstance(values, dict) and values:
            # What an earlier version did not store had the table's default.
            self.show_recipe(Recipe().to_dict() | values)

    def growing_target(self) -> layer_io.DreamTarget | None:
        """The source of the active layer while that layer still grows; else None."""
        return (
            live_layer.target_below_growing(self.jobs.value) if self.editing.value is None else None
        )

    def read(
        self, recipe: Recipe, where: layer_io.DreamTarget | None = None
    ) -> layer_io.LayerSource:
        """Read the pixels to dream on, with the chosen guide and maps.

        Raises:
            DocumentError: there is nothing to dream on.
        """
        editing = self.editing.value
        read = layer_io.read if editing is None else editing.read
        target = where or self.growing_target()
        return read(recipe, self.guide.value, self.strength_map.value, target, self.dream_map.value)

    def dream(self) -> None:
        """Dream on the active layer, or say why not; raises nothing."""
        guarded(self._dream, self.say)()

    def start(self, source: layer_io.LayerSource, recipe: Recipe, **options: Any) -> DreamJob:
        """Start a job, which waits for the earlier ones; `options` are those of `DreamJob`."""
        if "goal" not in options:
            options |= live_layer.preview_options(source, self._show_preview, self._hide_preview)
        job = DreamJob(self.link, source, recipe, self.job_changed, self.finished.emit, **options)
        self.enqueue(job)
        return job

    def enqueue(self, job: RunningJob) -> None:
        """Start a job or film, whose progress callback is `job_changed`."""
        self.jobs.set([*self.jobs.value, job])
        job.start()

    def job_changed(self, job: RunningJob) -> None:
        """A job has made progress or is over."""
        self.jobs.set([other for other in self.jobs.value if other is not job or not job.over])
        if job.over:
            self.say(job.text, aloud=job.state is not State.CANCELLED)

    def cancel(self) -> None:
        """Cancel the first of the jobs."""
        if self.jobs.value:
            self.jobs.value[0].cancel()

    def request_film(self) -> None:
        """Let the user choose the settings of a new film."""
        self.film_requested.emit(None)

    def close(self) -> None:
        """Stop all dreams and disconnect. The widgets may be gone by now: none is called."""
        jobs, self.jobs = self.jobs.value, Observable([])
        for job in jobs:
            job.tell_daemon_to_stop()
        self.link.close()

    def _dream(self) -> None:
        try:
            recipe = self.recipe()
            source = self.read(recipe)
        except (RecipeError, layer_io.DocumentError) as error:
            self.say(str(error))
            return
        Krita.instance().writeSetting(*SETTINGS, json.dumps(recipe.to_dict()))
        self.say("")
        self.start(source, recipe)

    def _show_preview(self, layout: Picture, frame: Frame) -> None:
        self.preview.set((layout, frame))

    def _hide_preview(self) -> None:
        self.preview.set(None)

    def _connection_changed(self) -> None:
        self.connection.set(ConnectionStatus(self.link.state, self.link.sentence))
