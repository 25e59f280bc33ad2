"""Which models answer for which project, and how a promoted version takes over while requests go on."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol

from ml_backend.errors import BackendError
from ml_backend.observability.logs import get_logger
from ml_backend.observability.metrics import Metrics
from ml_backend.predict.serving_models import Model, ServingModels
from model.errors import ModelError
from model.registry.versions import Version

#: A version that could not be loaded is tried again after this many seconds: somebody may have fixed it.
RETRY_SECONDS = 60.0

_log = get_logger(__name__)


class VersionSource(Protocol):
    """Where versions come from; :class:`model.registry.versions.Registry` is one.

    Every method raises :class:`model.errors.ModelError` or :class:`ml_backend.errors.BackendError` if it cannot tell.
    """

    def champion(self, project_id: int) -> Version | None:
        """Return the version that was promoted last; ``None`` stands for the weights that ship."""
        ...

    def challenger(self, project_id: int) -> Version | None:
        """Return the version that wants to take its place."""
        ...

    def version(self, project_id: int, number: int) -> Version:
        """Return one version."""
        ...

    def folder_of(self, version: Version) -> Path:
        """Return where a version's files are, made sure to be whole."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person has set about serving.

    Attributes:
        share: The challenger's share of the tasks, in ``[0, 1]``.
        both: Whether both predict each task.
        pinned: Asked for each project: the registry's number that it is to stay at, or ``None``.
        own_share: Asked for each project: the share that was set for it, or ``None`` where ``share`` counts.
    """

    share: float = 0.0
    both: bool = False
    pinned: Callable[[int], int | None] = lambda _project_id: None
    own_share: Callable[[int], float | None] = lambda _project_id: None

    def share_of(self, project_id: int) -> float:
        """Return the challenger's share of a project's tasks; 0 where both predict each."""
        own = None if self.both else self.own_share(project_id)
        return self.share if own is None else own


def _no_history(_project_id: int) -> Sequence[int | None]:
    return ()


class ModelManager(Generic[Model]):
    """Serving models by project; threads may share it.

    A look-up costs a dictionary's; only a project's first one asks the registry and loads. After that the watcher
    does, in a thread of its own, and replaces a project's serving models as a whole: a request in flight keeps those
    that it has. What cannot be loaded, or asked for, leaves the old one serving and is told by :attr:`problems`. A
    process that has no old one, since it was started later, takes the latest predecessor that can be loaded.

    Args:
        base: Answers where a project has no version of its own.
        source: The registry.
        load: Makes a model of a version's folder and name.
        metrics: Told which versions serve, and of problems.
        choice: What a person has set.
        most: How many projects' own models are kept; the one not asked for longest goes first.
        predecessors: Asked for each project: the numbers of the versions that one rollback after the other would bring,
            ``None`` for the weights that ship.
        adapt: Gives serving models what the project itself adds to them, whenever they are asked for.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        base: Model,
        source: VersionSource,
        load: Callable[[Path, str], Model],
        metrics: Metrics,
        *,
        choice: Choice,
        most: int,
        predecessors: Callable[[int], Sequence[int | None]] = _no_history,
        adapt: Callable[[ServingModels[Model]], ServingModels[Model]] = lambda serving: serving,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._adapt = adapt
        self._base = base
        self._source = source
        self._load = load
        self._metrics = metrics
        self._choice = choice
        self._most = most
        self._predecessors = predecessors
        self._clock = clock
        self._serving_of: OrderedDict[int, ServingModels[Model]] = OrderedDict()
        self._loaded: dict[int, dict[str, Model]] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._problems: dict[int, str] = {}
        self._lock = threading.Lock()
        # One at a time: to load the same version twice would take twice the memory.
        self._loading = threading.Lock()
        self._stop = threading.Event()
        metrics.models_serving({base.version})

    @property
    def versions(self) -> tuple[str, ...]:
        """Every version that answers for some project."""
        with self._lock:
            serving = list(self._serving_of.values())
        return tuple(dict.fromkeys((self._base.version, *(name for one in serving for name in one.versions))))

    @property
    def problems(self) -> Mapping[int, str]:
        """What is wrong, by project; empty while all is well."""
        return dict(self._problems)

    def serving(self, project_id: int | None) -> ServingModels[Model]:
        """Return who answers for a project."""
        if project_id is None:
            return ServingModels(None, self._base)
        with self._lock:
            known = self._serving_of.get(project_id)
            if known is not None:
                self._serving_of.move_to_end(project_id)
        return self._adapt(known) if known is not None else self.refresh(project_id)

    def settled_version(self, project_id: int) -> str | None:
        """Return the version that answers for a project; ``None`` while another should but cannot."""
        version = self.serving(project_id).version
        return None if project_id in self._problems else version

    def refresh(self, project_id: int) -> ServingModels[Model]:
        """Look at the registry now, and return who answers from now on."""
        with self._loading:
            before = self._serving_of.get(project_id)
            try:
                after = self._wanted(project_id)
                problem = None
            except (ModelError, BackendError) as error:
                problem = str(error)
                # The weights that ship may be all that this process could load so far.
                after = self._stand_in(project_id) if before is None or before.champion is self._base else before
            self._note(project_id, problem)
            if before is None or before.versions != after.versions or before.previous is not after.previous:
                self._put(project_id, after)
        return self._adapt(after)

    def prepare(self, projects: Iterable[int]) -> None:
        """Have the models of projects ready, of as many as are kept."""
        for project_id in list(projects)[: self._most]:
            self.refresh(project_id)

    def watch(self, seconds: float, projects: Callable[[], Iterable[int]] = tuple) -> None:
        """Look at the registry every ``seconds`` in a thread of its own, until :meth:`close`.

        Args:
            seconds: How often.
            projects: Asked each time for projects that were not asked for yet, to have their models ready.
        """
        threading.Thread(target=self._watch, args=(seconds, projects), name="versions", daemon=True).start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _watch(self, seconds: float, projects: Callable[[], Iterable[int]]) -> None:
        while not self._stop.wait(seconds):
            try:
                for project_id in {*self._serving_of, *list(projects())[: self._most]}:
                    self.refresh(project_id)
            except BackendError as error:
                _log.warning("projects_not_listed", error=str(error))
            except Exception:  # noqa: BLE001 - a thread that ends unseen would leave old versions serving for good
                _log.exception("watching_failed_unexpectedly")

    def _wanted(self, project_id: int) -> ServingModels[Model]:
        """Return what registry and person want to serve, models loaded."""
        pinned = self._choice.pinned(project_id)
        if pinned is not None:
            return ServingModels(project_id, self._model(project_id, self._source.version(project_id, pinned)))
        champion = self._model(project_id, self._source.champion(project_id))
        previous = self._previous(project_id, champion)
        share = self._choice.share_of(project_id)
        if not share and not self._choice.both:
            return ServingModels(project_id, champion, previous=previous)
        ref = self._source.challenger(project_id)
        try:
            challenger = None if ref is None else self._model(project_id, ref)
        except (ModelError, BackendError) as error:
            # The champion takes over all the same.
            _log.warning("challenger_not_loaded", project=project_id, error=str(error))
            challenger = None
        if challenger is None or challenger.version == champion.version:
            return ServingModels(project_id, champion, previous=previous)
        return ServingModels(project_id, champion, challenger, share, self._choice.both, previous)

    def _previous(self, project_id: int, champion: Model) -> Model | None:
        """Return who served before the champion; ``None`` where nobody did or it cannot be loaded: it only advises."""
        try:
            before = self._predecessors(project_id)
            if not before or champion is self._base:
                return None
            ref = None if before[0] is None else self._source.version(project_id, before[0])
            previous = self._model(project_id, ref)
        except (ModelError, BackendError) as error:
            _log.debug("former_not_loaded", project=project_id, error=str(error))
            return None
        return None if previous is champion else previous

    def _stand_in(self, project_id: int) -> ServingModels[Model]:
        """Return the latest predecessor that can be loaded, in the end of the weights that ship."""
        try:
            for number in self._predecessors(project_id):
                try:
                    ref = None if number is None else self._source.version(project_id, number)
                    return ServingModels(project_id, self._model(project_id, ref))
                except (ModelError, BackendError) as error:
                    _log.warning("predecessor_not_loaded", project=project_id, version=number, error=str(error))
        except BackendError as error:
            _log.warning("predecessors_not_known", project=project_id, error=str(error))
        return ServingModels(project_id, self._base)

    def _model(self, project_id: int, ref: Version | None) -> Model:
        if ref is None:
            return self._base
        loaded = self._loaded.setdefault(project_id, {})
        if ref.name in loaded:
            return loaded[ref.name]
        when, why = self._failed.get(ref.name, (float("-inf"), ""))
        if self._clock() - when < RETRY_SECONDS:
            raise ModelError(why)
        start = self._clock()
        try:
            model = self._load(self._source.folder_of(ref), ref.name)
        except (ModelError, BackendError) as error:
            why = f"Version {ref.number} of project {project_id} cannot be loaded: {error}"
            self._failed[ref.name] = (self._clock(), why)
            raise ModelError(why) from error
        self._failed.pop(ref.name, None)
        loaded[ref.name] = model
        _log.info("version_loaded", project=project_id, version=ref.name, seconds=round(self._clock() - start, 2))
        return model

    def _put(self, project_id: int, serving: ServingModels[Model]) -> None:
        forgotten = []
        with self._lock:
            self._serving_of[project_id] = serving
            self._serving_of.move_to_end(project_id)
            while len(self._serving_of) > self._most:
                forgotten.append(self._serving_of.popitem(last=False)[0])
        kept = (serving.champion, serving.challenger, serving.previous)
        models = self._loaded.get(project_id, {})
        self._loaded[project_id] = {name: model for name, model in models.items() if any(model is it for it in kept)}
        for gone in forgotten:
            self._loaded.pop(gone, None)
            self._note(gone, None)
        self._metrics.models_serving(self.versions)
        _log.info("lineup_changed", project=project_id, versions=serving.versions)

    def _note(self, project_id: int, problem: str | None) -> None:
        if problem == self._problems.get(project_id):
            return
        if problem is None:
            self._problems.pop(project_id, None)
            _log.info("model_problem_over", project=project_id)
        else:
            self._problems[project_id] = problem
            _log.error("model_problem", project=project_id, error=problem)
        self._metrics.model_problem(project_id, problem is not None)
