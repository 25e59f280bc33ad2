"""Metrics that are looked up when Prometheus asks, but not each time, and never at the price of an error."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ml_backend.errors import BackendError
from ml_backend.observability.logs import get_logger

_log = get_logger(__name__)


class CachedCollector(Collector):
    """Looks things up at most every so often. While they cannot be, only its ``…_up`` is shown, as 0.

    Args:
        up: Name of the gauge that tells whether the last look succeeded.
        what: What that gauge says, one sentence.
        seconds: Least time between two looks.
        clock: Monotonic seconds.
    """

    def __init__(self, up: str, what: str, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._up = up
        self._what = what
        self._seconds = seconds
        self._clock = clock
        self._looked = float("-inf")
        self._shown: Sequence[Metric] = ()
        self._looking = threading.Lock()

    @abstractmethod
    def look(self) -> Sequence[Metric]:
        """Return what there is to show.

        Raises:
            BackendError: If it cannot be looked up.
        """

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand, so that nothing is looked up when this is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Give what was found at the last look, or look again."""
        with self._looking:
            if self._clock() - self._looked >= self._seconds:
                self._shown = self._found()
                self._looked = self._clock()
            return iter(self._shown)

    def _found(self) -> Sequence[Metric]:
        try:
            found, up = self.look(), 1
        except BackendError as error:
            _log.warning("metrics_not_looked_up", metric=self._up, error=str(error))
            found, up = (), 0
        return (*found, GaugeMetricFamily(self._up, self._what, value=up))
