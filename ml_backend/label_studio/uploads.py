"""A file into Label Studio, and a task that shows it: in two steps, so that the task is made whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.records import Prediction
from model.document.formats import format_of


def upload(client: LabelStudio, project_id: int, data: bytes) -> str:
    """Put an image file into a project without making a task of it; return its address within Label Studio.

    Raises:
        LabelStudioError: If Label Studio does not take it.
    """
    kind = format_of(data)
    suffix = kind.suffixes[0] if kind is not None else ".png"
    with client.session.explained("upload the image", reveal=False):
        raw = client.session.request(
            "POST",
            f"api/projects/{project_id}/import",
            params={"commit_to_project": False},
            files={"file": (f"contact{suffix}", data)},
        )
        numbers = raw.get("file_upload_ids") or ()
        if not numbers:
            raise LabelStudioError("Label Studio did not say where the uploaded image is.")
        file = client.session.request("GET", f"api/import/file-upload/{numbers[0]}").get("file")
    return f"/data/{file}"


def create_task(
    client: LabelStudio, project_id: int, data: Mapping[str, Any], prediction: Prediction | None = None
) -> int:
    """Make a task, together with its prediction if there is one, and return its number.

    Raises:
        LabelStudioError: If Label Studio refuses.
    """
    made = [
        {"model_version": item.model_version, "result": list(item.result), "score": item.score}
        for item in (prediction,)
        if item is not None
    ]
    numbers = client.import_tasks(project_id, [{"data": dict(data), **({"predictions": made} if made else {})}])
    if len(numbers) != 1:
        raise LabelStudioError("Label Studio did not say which task it made.")
    return numbers[0]


def find_task(client: LabelStudio, project_id: int, key: str, value: str) -> int | None:
    """Return the task whose data has a value under a key; ``None`` where there is none.

    Raises:
        LabelStudioError: If Label Studio does not answer.
    """
    wanted = {"filter": f"filter:tasks:data.{key}", "operator": "equal", "type": "String", "value": value}
    query = {"filters": {"conjunction": "and", "items": [wanted]}}
    parameters = {"project": project_id, "fields": "task_only", "page_size": 10, "query": json.dumps(query)}

    def ask() -> int | None:
        raw = client.session.request("GET", "api/tasks", params=parameters)
        # A filter that Label Studio does not know is passed over: what it answers with is looked at.
        found = [int(task["id"]) for task in raw.get("tasks", ()) if str((task.get("data") or {}).get(key)) == value]
        return min(found, default=None)

    return client.session.read("look for the document's task", ask)
