"""How much room is left where this backend writes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class DiskMetrics(Collector):
    """Measures the file systems that folders lie on.

    Args:
        folders: By the setting that names them.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)

    def collect(self) -> Iterator[Metric]:
        """Give size and free space, in bytes, of each folder that is there."""
        free = GaugeMetricFamily("ml_backend_disk_free_bytes", "Room that is left.", labels=["folder"])
        size = GaugeMetricFamily("ml_backend_disk_size_bytes", "Size of the file system.", labels=["folder"])
        for name, folder in self._folders.items():
            try:
                usage = shutil.disk_usage(folder)
            except OSError:
                # Made with the first thing that is written there.
                continue
            free.add_metric([name], usage.free)
            size.add_metric([name], usage.total)
        yield free
        yield size
