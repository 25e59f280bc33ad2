"""``pages``: PDF and TIFF files into Label Studio, a task a document, with a page after the other in its editor."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ml_backend.cli import AddCommand
from ml_backend.cli.connection import launched
from ml_backend.cli.document_files import find_images, name_left_out
from ml_backend.errors import BackendError
from ml_backend.settings import Settings
from model.errors import ModelError

if TYPE_CHECKING:
    from ml_backend.label_studio.client import LabelStudio
    from ml_backend.label_studio.label_config import Target

TITLE = "Documents"


def add_commands(add: AddCommand) -> None:
    """Add the command to the command line."""
    parser = add("pages", pages)
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="PDF, TIFF or image file, or folder searched for them"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--project", type=int, metavar="PROJECT", help="number of a project whose <Image> has valueList")
    where.add_argument(
        "--title", default=TITLE, help=f'title of the project, made if there is none ("{TITLE}" without it)'
    )
    parser.add_argument("--labels", metavar="A,B,…", help="labels of a new project; without them, those of the model")


def pages(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make a task of each PDF, TIFF or image file, with a page after the other."""
    from ml_backend.contacts.paged_uploads import need_pages
    from ml_backend.label_studio.client import LabelStudio
    from ml_backend.label_studio.label_config import parse_label_config

    settings = launched(settings)
    if not settings.label_studio_url:
        print("There is no Label Studio. Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.", file=sys.stderr)
        return 1
    files = list(find_images(arguments.files, name_left_out))
    if not files:
        print("There is no document among the files and folders given.", file=sys.stderr)
        return 1
    # Label Studio waits for the backend up to 100 s.
    client = LabelStudio(settings.label_studio_url, settings.label_studio_api_key.get_secret_value(), timeout=120)
    with closing(client):
        project_id = arguments.project or _project(client, arguments, settings)
        target = parse_label_config(client.project(project_id).label_config).targets[0]
        need_pages(target)
        made, failed = 0, 0
        for name, path in files:
            try:
                task_id = _send(client, project_id, target, name, path, settings)
            except (BackendError, ModelError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed += 1
            except OSError as error:
                print(f"{name}: {error.strerror}", file=sys.stderr)
                failed += 1
            else:
                if task_id is not None:
                    made += 1
                    _read_soon(client, project_id, task_id, settings)
    address = f"{settings.label_studio_url.rstrip('/')}/projects/{project_id}/data"
    print(f"{made} documents are new in project {project_id}: {address}")
    return 1 if failed else 0


def _project(client: LabelStudio, arguments: argparse.Namespace, settings: Settings) -> int:
    """Return the project with the title, made and connected if there is none."""
    from ml_backend.label_studio.templates import documents_config
    from ml_backend.projects.initialising import backend_address
    from ml_backend.projects.setup import ProjectPlan, ensure_project

    found = sorted(project.id for project in client.projects(arguments.title))
    if found:
        return found[0]
    labels = [label.strip() for label in (arguments.labels or "").split(",") if label.strip()]
    plan = ProjectPlan(arguments.title, documents_config(labels or None), description="Documents with several pages.")
    return ensure_project(client, plan, backend_address(settings), progress=print).project_id


def _send(
    client: LabelStudio, project_id: int, target: Target, name: str, path: Path, settings: Settings
) -> int | None:
    """Make the task of a file; return its number, ``None`` where the project has it already."""
    from ml_backend.contacts.paged_uploads import upload_pages
    from ml_backend.container import page_limits
    from ml_backend.label_studio.uploads import create_task, find_task
    from model.document.images import image_key, load_image
    from model.document.page_files import is_paged

    with path.open("rb") as file:
        # One byte past the limit is enough to be refused.
        data = file.read(settings.max_document_bytes + 1)
    key = image_key(data)
    there = find_task(client, project_id, "document_key", key)
    if there is not None:
        print(f"{name}: it is task {there} already")
        return None
    if not is_paged(data):
        load_image(data, max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
    with tqdm(unit="page", desc=name, file=sys.stderr, leave=False) as progress:
        uploads = upload_pages(client, project_id, target, data, page_limits(settings), progress.update)
        urls = [uploaded.image.url for uploaded in uploads]
    task_data = {**target.task_data(urls), "document": name, "document_key": key}
    task_id = create_task(client, project_id, task_data)
    print(f"{name}: task {task_id}, {len(urls)} pages")
    return task_id


def _read_soon(client: LabelStudio, project_id: int, task_id: int, settings: Settings) -> None:
    """Have the worker read a document; where its queue is out of reach, have Label Studio ask the backend."""
    from ml_backend.jobs.queue import JobQueue, QueueError
    from ml_backend.projects.setup import retrieve_predictions

    try:
        JobQueue.at(settings.queue_url).enqueue_scoring(project_id, [task_id])
    except QueueError:
        retrieve_predictions(client, project_id, [task_id])
