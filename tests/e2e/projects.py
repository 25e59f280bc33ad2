"""Small projects of a test's own, in the real Label Studio."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.templates import business_cards_config
from tests.conftest import print_card


def new_title(words: str = "Test") -> str:
    """Return a title that no project has."""
    return f"{words} {uuid.uuid4().hex[:12]}"


def new_project(client: LabelStudio, *, label_config: str | None = None) -> int:
    """Create an empty project and return its number."""
    return client.create_project(new_title(), label_config or business_cards_config()).id


def printed_cards(folder: Path, count: int) -> list[Path]:
    """Write ``count`` printed cards, each with a text of its own."""
    paths = []
    for number in range(count):
        path = folder / f"printed-{number:02}.png"
        lines = ("Maria Petrova", "Field Engineer", f"+49 30 5550 12{number:02}", "maria@northwind.example")
        print_card(lines).save(path)
        paths.append(path)
    return paths


def empty_tasks(client: LabelStudio, project_id: int, count: int) -> Sequence[int]:
    """Import tasks whose images nobody will look at."""
    return client.import_tasks(project_id, [{"data": {"image": f"/data/none-{n}.png"}} for n in range(count)])


def a_region(text: str = "Maria Petrova", label: str = "NAME") -> list[dict[str, object]]:
    """A result with one region, as the labelling page stores it."""
    common = {"id": uuid.uuid4().hex, "to_name": "image", "original_width": 640, "original_height": 300}
    common["image_rotation"] = 0
    shape = {"x": 5.0, "y": 10.0, "width": 45.0, "height": 16.0, "rotation": 0}
    return [
        {**common, "from_name": "box", "type": "rectangle", "value": shape},
        {**common, "from_name": "label", "type": "labels", "value": {**shape, "labels": [label]}},
        {**common, "from_name": "text", "type": "textarea", "value": {**shape, "text": [text]}},
    ]
