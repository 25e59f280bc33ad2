"""Model versions: a thin layer over MLflow's model registry.

Each project has a registered model ``project-NUMBER``. Its versions never change; the alias ``champion`` names the one
that serves, ``challenger`` the latest that was not promoted. A project without a champion is served by the weights that
ship.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from model.errors import UnknownVersionError, VersionError, say
from model.registry.tracking import RUN_TAG, TrackedRun, Tracking, telling

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"

_DIGEST_TAG = "digest"
#: For as long one process waits for another that fetches the same version.
_FETCHING_SECONDS = 300
_RETIRED_TAG = "retired_at"
_FILES = "model"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a project's model; it never changes.

    Attributes:
        project_id: Label Studio's number.
        number: The registry's, from 1 on.
        digest: SHA-256 of its files, 64 hexadecimal digits.
        created_at: When it was registered.
        mlflow_run_id: Where its numbers are.
        source: MLflow's address of its files.
        tags: What was noted when it was registered.
    """

    project_id: int
    number: int
    digest: str
    created_at: datetime
    mlflow_run_id: str
    source: str
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def name(self) -> str:
        """How it is called in predictions, but for the engine: ``p7-v3-0123abcd``."""
        return f"p{self.project_id}-v{self.number}-{self.digest[:8]}"

    @property
    def retired_at(self) -> datetime | None:
        """Since when it is to be removed; ``None`` where it is kept."""
        marked = self.tags.get(_RETIRED_TAG)
        return datetime.fromisoformat(marked) if marked else None


class Registry:
    """Keeps versions and aliases; threads and processes may share what it keeps.

    Every method raises :class:`model.errors.TrackingError` if MLflow cannot be read or written.

    Args:
        tracking: MLflow.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking
        self._known: dict[tuple[int, int], Version] = {}

    def register(self, folder: Path, project_id: int, run: TrackedRun, tags: Mapping[str, str]) -> Version:
        """Keep the files of a folder as a new version, the project's challenger.

        Nobody sees the version before all its files are in place.

        Args:
            folder: A checkpoint.
            project_id: The project.
            run: The MLflow run that made it.
            tags: What to note with it.
        """
        client, model = self._tracking.client(), _model(project_id)
        digest = digest_of(folder)
        source = run.files(folder, _FILES)
        with telling(model):
            if not client.search_registered_models(f"name = '{model}'"):
                client.create_registered_model(model)
            made = client.create_model_version(
                model, source, run_id=run.id, tags={**tags, _DIGEST_TAG: digest}, await_creation_for=0
            )
            client.set_registered_model_alias(model, CHALLENGER, str(made.version))
        return self._remember(project_id, made)

    def open(self) -> None:
        """Open MLflow, unless nothing was ever written there: the first question takes seconds, the others do not."""
        self.champion(0)

    def champion(self, project_id: int) -> Version | None:
        """Return the version that serves a project; ``None`` stands for the weights that ship."""
        return self._aliased(project_id, CHAMPION)

    def challenger(self, project_id: int) -> Version | None:
        """Return the latest version that was not promoted."""
        return self._aliased(project_id, CHALLENGER)

    def version(self, project_id: int, number: int) -> Version:
        """Return one version.

        Raises:
            VersionError: If there is none of that number.
        """
        known = self._known.get((project_id, number))
        if known is not None:
            return known
        found = next((each for each in self.versions(project_id) if each.number == number), None)
        if found is None:
            raise UnknownVersionError(
                say("Project {project_id} has no version {number}.", project_id=project_id, number=number)
            )
        return found

    def versions(self, project_id: int) -> list[Version]:
        """Return all versions of a project, newest first."""
        if self._tracking.empty:
            return []
        model = _model(project_id)
        with telling(model):
            found = self._tracking.client().search_model_versions(f"name = '{model}'")
        versions = [self._remember(project_id, each) for each in found]
        return sorted(versions, key=lambda version: version.number, reverse=True)

    def promote(self, project_id: int, number: int | None) -> int | None:
        """Let a version serve its project from now on; ``None`` stands for the weights that ship.

        Returns:
            The version that served before.

        Raises:
            VersionError: If there is none of that number, or its files are missing or damaged.
        """
        before = self.champion(project_id)
        if number is not None:
            # Removed before the alias is set: what removes old versions must see one or the other.
            self.retire(self.version(project_id, number), None)
            self.folder_of(self.version(project_id, number))
        elif before is None:
            return None
        client, model = self._tracking.client(), _model(project_id)
        challenger = self.challenger(project_id)
        with telling(model):
            if number is None:
                client.delete_registered_model_alias(model, CHAMPION)
            else:
                client.set_registered_model_alias(model, CHAMPION, str(number))
                if challenger is not None and challenger.number == number:
                    client.delete_registered_model_alias(model, CHALLENGER)
        return None if before is None else before.number

    def retire(self, version: Version, moment: datetime | None) -> None:
        """Mark a version as one that is to be removed since a moment; ``None`` takes the mark off."""
        client, model = self._tracking.client(), _model(version.project_id)
        with telling(version.name):
            if moment is not None:
                client.set_model_version_tag(model, str(version.number), _RETIRED_TAG, moment.isoformat())
            elif _RETIRED_TAG in client.get_model_version(model, str(version.number)).tags:
                client.delete_model_version_tag(model, str(version.number), _RETIRED_TAG)

    def folder_of(self, version: Version) -> Path:
        """Return the folder of a version's files, made sure to be as they were registered.

        Files that a server keeps are fetched once, and again where they were damaged since.

        Raises:
            VersionError: If they are missing or damaged.
        """
        local = _local(version.source)
        folder = local or self._fetched(version)
        if not folder.is_dir() or digest_of(folder) != version.digest:
            what = {"number": version.number, "project_id": version.project_id}
            if local:
                # A database alone says where the files lie on the machine that trained.
                raise VersionError(
                    say(
                        "The files of version {number} of project {project_id} are damaged, or not on this machine: "
                        "{folder}.",
                        **what,
                        folder=folder,
                    )
                )
            raise VersionError(say("The files of version {number} of project {project_id} are damaged.", **what))
        return folder

    def discard(self, project_id: int, run_id: int, keep: Collection[int] = ()) -> None:
        """Remove what a training run left that was given up: its versions, unless one serves, and its MLflow runs.

        Args:
            project_id: The project.
            run_id: The training run's number in the store.
            keep: Numbers of versions that have served, and may be gone back to.
        """
        if self._tracking.empty:
            return
        client, model = self._tracking.client(), _model(project_id)
        champion, challenger = self.champion(project_id), self.challenger(project_id)
        kept = set()
        for version in self.versions(project_id):
            if version.tags.get(RUN_TAG) != str(run_id):
                continue
            if version.number in keep or (champion is not None and champion.number == version.number):
                kept.add(version.mlflow_run_id)
                continue
            with telling(model):
                if challenger is not None and challenger.number == version.number:
                    client.delete_registered_model_alias(model, CHALLENGER)
                client.delete_model_version(model, str(version.number))
            self._known.pop((project_id, version.number), None)
        with telling(model):
            experiment = client.get_experiment_by_name(model)
            found = client.search_runs([experiment.experiment_id], f"tags.{RUN_TAG} = '{run_id}'") if experiment else []
            for run in found:
                if run.info.run_id in kept:
                    continue
                client.delete_run(run.info.run_id)
                folder = _local(run.info.artifact_uri)
                if folder is None:
                    self._tracking.remove_files(run.info.run_id)
                else:
                    shutil.rmtree(folder.parent, ignore_errors=True)

    def _fetched(self, version: Version) -> Path:
        """Return the folder of a version's files, which a server keeps, on this machine."""
        folder = self._tracking.artifacts / "fetched" / version.name
        with telling(version.name):
            folder.parent.mkdir(parents=True, exist_ok=True)
            # One process fetches, and the others of this machine wait for it.
            with FileLock(folder.parent / f".{version.name}.lock", timeout=_FETCHING_SECONDS):
                if folder.is_dir() and digest_of(folder) == version.digest:
                    return folder
                # Beside it first: this process may be killed.
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as draft:
                    got = self._tracking.fetch_files(version.source, Path(draft))
                    shutil.rmtree(folder, ignore_errors=True)
                    got.rename(folder)
        return folder

    def _aliased(self, project_id: int, alias: str) -> Version | None:
        if self._tracking.empty:
            return None
        model = _model(project_id)
        with telling(model):
            found = self._tracking.client().search_registered_models(f"name = '{model}'")
        number = found[0].aliases.get(alias) if found else None
        return None if number is None else self.version(project_id, int(number))

    def _remember(self, project_id: int, found: ModelVersion) -> Version:
        version = Version(
            project_id,
            int(found.version),
            found.tags.get(_DIGEST_TAG, ""),
            datetime.fromtimestamp(found.creation_timestamp / 1000, timezone.utc),
            found.run_id or "",
            found.source or "",
            MappingProxyType(dict(found.tags)),
        )
        self._known[(project_id, version.number)] = version
        return version


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of the files of a folder and all below it, with their paths, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _local(address: str) -> Path | None:
    """Return the path of files that lie in a folder; ``None`` where a server keeps them."""
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme in {"", "file"} else None


def _model(project_id: int) -> str:
    return f"project-{project_id}"
