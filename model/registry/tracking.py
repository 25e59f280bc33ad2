"""The connection to MLflow, and what a training run writes there.

MLflow is imported when it is first needed: that takes seconds, and most processes of the backend never do.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from filelock import FileLock

from model.errors import TrackingError, say

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SQLITE = "sqlite:///"
_LOGIN = re.compile(r"//[^/@\s]*@")
#: For as long one process waits for another that makes the database; it takes up to ten seconds.
_MAKING_SECONDS = 120

#: How MLflow behaves, unless its own variables say otherwise.
_ENVIRONMENT = {
    # Where a person's documents are, nothing is told to anybody.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A server that is down is noticed within seconds, not minutes: the version that serves goes on serving.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}

_IMPORTING = threading.Lock()

#: The tag of an MLflow run that names the training run of the store.
RUN_TAG = "training_run"


class Tracking:
    """MLflow's tracking and registry; threads may share it. Nothing is opened before it is needed.

    Args:
        uri: MLflow's tracking URI: ``sqlite:///FILE``, another database's, or ``http(s)://`` of a server.
        artifacts: Folder for the files of runs and versions, unless a server keeps them.
    """

    def __init__(self, uri: str, artifacts: Path) -> None:
        self.uri = uri
        self.artifacts = artifacts.absolute()
        self._client: MlflowClient | None = None
        self._opening = threading.Lock()

    @property
    def empty(self) -> bool:
        """Whether it is certain that nothing was ever written, which is known without MLflow."""
        return self._client is None and self._file is not None and not self._file.exists()

    def client(self) -> MlflowClient:
        """Return MLflow's client; the first call opens the database, and makes it where there is none.

        Raises:
            TrackingError: If it cannot be opened.
        """
        with self._opening:
            if self._client is None:
                self._client = self._open()
            return self._client

    def begin(self, project_id: int, run_id: int, name: str) -> TrackedRun:
        """Begin an MLflow run in the experiment of a project.

        Args:
            project_id: Label Studio's number.
            run_id: The training run's number in the store.
            name: What people see.

        Raises:
            TrackingError: If MLflow cannot be written.
        """
        client = self.client()
        with telling(say("the experiment of project {project}", project=project_id)):
            title = f"project-{project_id}"
            found = client.get_experiment_by_name(title)
            location = None if self._is_server else (self.artifacts / title).as_uri()
            experiment = found.experiment_id if found else client.create_experiment(title, artifact_location=location)
            run = client.create_run(experiment, tags={RUN_TAG: str(run_id)}, run_name=name)
        return TrackedRun(client, run.info.run_id)

    def fetch_files(self, address: str, folder: Path) -> Path:
        """Fetch the files below MLflow's address of them into a folder of ``folder``, and return it.

        Raises:
            TrackingError: If they cannot be fetched.
        """
        self.client()
        with telling(say("the files of a version")):
            from mlflow.artifacts import download_artifacts

            return Path(download_artifacts(artifact_uri=address, dst_path=str(folder), tracking_uri=self.uri))

    def remove_files(self, mlflow_run_id: str) -> None:
        """Remove the files of an MLflow run from where a server keeps them; some keep them all the same.

        Raises:
            TrackingError: If MLflow cannot be written.
        """
        with telling(say("the files of a version")), suppress(NotImplementedError):
            address = self.client().get_run(mlflow_run_id).info.artifact_uri
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            get_artifact_repository(address, tracking_uri=self.uri).delete_artifacts()  # type: ignore[no-untyped-call]

    @property
    def _place(self) -> str:
        """The address without what may be a password."""
        parts = urlsplit(self.uri)
        return str(self._file or f"{parts.scheme}://{parts.hostname}")

    @property
    def _is_server(self) -> bool:
        return urlsplit(self.uri).scheme in {"http", "https"}

    @property
    def _file(self) -> Path | None:
        return Path(self.uri.removeprefix(_SQLITE)) if self.uri.startswith(_SQLITE) else None

    def _open(self) -> MlflowClient:
        _import_mlflow()
        from mlflow.tracking import MlflowClient

        try:
            if self._file is None:
                return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # The client makes the database's tables at once, and two processes that do so at a time both fail.
            with FileLock(self._file.with_suffix(".lock"), timeout=_MAKING_SECONDS):
                client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
                client.search_registered_models(max_results=1)
                client.search_experiments(max_results=1)
        except Exception as error:
            # While it opens, MLflow lets every error of its database through.
            raise TrackingError(
                say("MLflow cannot be opened at {place}: {reason}", place=self._place, reason=_first_line(error))
            ) from error
        return client


class TrackedRun:
    """An MLflow run in progress. Every method raises :class:`TrackingError` if MLflow cannot be written.

    Args:
        client: MLflow.
        run_id: MLflow's id of the run.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self.id = run_id

    def parameters(self, values: Mapping[str, object]) -> None:
        """Note what the run was given."""
        from mlflow.entities import Param

        self._log(params=[Param(name, str(value)) for name, value in values.items()])

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Note numbers; those of one name and several steps make a curve."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._log(metrics=[Metric(name, float(value), now, step) for name, value in values.items()])

    def figure(self, figure: Any, name: str) -> None:
        """Keep a matplotlib figure under a file name."""
        with telling(name):
            self._client.log_figure(self.id, figure, name)

    def text(self, content: str, name: str) -> None:
        """Keep a text under a file name."""
        with telling(name):
            self._client.log_text(self.id, content, name)

    def files(self, folder: Path, name: str) -> str:
        """Keep the files of a folder under ``name`` and return the address that MLflow gives them."""
        with telling(name):
            self._client.log_artifacts(self.id, str(folder), name)
            return f"{self._client.get_run(self.id).info.artifact_uri.rstrip('/')}/{name}"

    def end(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Close the run."""
        with telling(say("the end of the run")):
            self._client.set_terminated(self.id, status)

    def _log(self, **content: Any) -> None:
        with telling(say("the run's numbers")):
            self._client.log_batch(self.id, **content)


@contextmanager
def telling(what: str, otherwise: Callable[[str], Exception] = TrackingError) -> Iterator[None]:
    """Raise whatever MLflow raises as ``otherwise``, saying what could not be read or written.

    Raises:
        TrackingError: In place of MLflow's and the operating system's errors.
    """
    _import_mlflow()
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        said = say("MLflow: {what} cannot be read or written: {reason}", what=what, reason=_first_line(error))
        raise otherwise(said) from error


def _import_mlflow() -> None:
    """Import MLflow, which takes seconds, when it is first needed, and in one thread.

    Its modules import each other: two threads that begin with different ones leave it half made for good.
    """
    with _IMPORTING:
        for variable, value in _ENVIRONMENT.items():
            os.environ.setdefault(variable, value)
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        import mlflow.tracking  # noqa: F401


def _first_line(error: Exception) -> str:
    """Return the beginning of a message, without the password of an address in it."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return _LOGIN.sub("//", line)[:300]
