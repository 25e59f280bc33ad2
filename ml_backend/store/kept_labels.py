"""The labels of projects, from the labelling configuration as it was last seen."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

from ml_backend.errors import LabelConfigError
from ml_backend.label_studio.label_config import Label, parse_label_config
from ml_backend.store.options import ProjectOptions


class KeptLabels:
    """Gives the labels of a project without asking Label Studio; threads may share it.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._options = ProjectOptions(engine)

    def __call__(self, project_id: int) -> Sequence[Label]:
        """Return a project's labels; none where its configuration was never seen.

        Raises:
            StoreError: If the store cannot be read.
        """
        xml = self._options.label_config(project_id)
        if xml is None:
            return ()
        try:
            targets = parse_label_config(xml).targets
        except LabelConfigError:
            return ()
        return tuple(dict.fromkeys(label for target in targets for label in target.labels))
