"""Which project or task a path of Label Studio belongs to.

The backend's token usually has access to every project. Without this check a task could have another project's document
read just by naming its path.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

_UPLOAD = re.compile(r"/*(?:data/+)?upload/+(\d+)/")
_STORAGE_DATA = re.compile(r"storage-data/")
_RESOLVED = re.compile(r"(tasks|projects)/(\d+)/(?:resolve|presign)/")


def is_others(path: str, query: str, task_id: int | None, project_id: int | None) -> bool:
    """Return whether a path belongs to another project or task than the one that names it.

    Local files (``data/local-files/``) belong to no project: their paths do not tell.

    Args:
        path: Below Label Studio's prefix, as :meth:`OwnAddresses.served_path` returns it.
        query: What stands behind the question mark.
        task_id: The task that names it; ``None`` for none that is stored.
        project_id: Its project; ``None`` where it is not known, and then nothing is anybody else's.
    """
    if project_id is None:
        return False
    path = unquote(path)
    if found := _RESOLVED.match(path):
        whose = task_id if found[1] == "tasks" else project_id
        return int(found[2]) != whose
    named = [path]
    if _STORAGE_DATA.match(path):
        # Label Studio decodes the value a second time.
        named = [unquote(value) for values in parse_qs(query).values() for value in values]
    numbers = [int(found[1]) for each in named if (found := _UPLOAD.match(each))]
    return any(number != project_id for number in numbers)
