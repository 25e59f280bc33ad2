"""The command line: ``python -m ml_backend COMMAND``.

Each command is one function that takes the parsed arguments and the settings and returns the exit status. It imports
what it needs itself, so that ``--help`` answers at once and no command pays for another's models.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from tqdm import tqdm

from ml_backend.cli import active_learning, backup, doctor, pages, roles, samples, versions
from ml_backend.cli import rescoring as ordering
from ml_backend.cli.document_files import find_images, name_left_out
from ml_backend.errors import BackendError
from ml_backend.label_studio.fields import match_names
from ml_backend.observability.logs import configure_logging
from ml_backend.ops.private_files import keep_files_private
from ml_backend.settings import Settings
from ml_backend.store.atomic_write import replacing
from model.document.decode_budget import set_process_budget
from model.document.types import Document, Page
from model.document.values import field_values
from model.errors import ModelError

Result = TypeVar("Result")

_USING_DATA = {module.__name__ for module in (samples, versions, ordering, active_learning)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name; None takes the process's own.

    Returns:
        The exit status: 0, or 1 if something failed, or 2 if the arguments or settings cannot be used.
    """
    arguments = _parser().parse_args(argv)
    keep_files_private()
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = ".".join(map(str, problem["loc"])).upper()
            print(f"{name or 'settings'}: {problem['msg']}", file=sys.stderr)
        return 2
    configure_logging(settings.log_level if arguments.command is run else "WARNING", secrets=settings.secrets)
    set_process_budget(settings.decode_budget_megapixels)
    try:
        with _use_of_data(arguments, settings):
            status: int = arguments.command(arguments, settings)
    except (BackendError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _use_of_data(arguments: argparse.Namespace, settings: Settings) -> AbstractContextManager[object]:
    """Return what keeps a restore away while a command works with the data; roles see to it themselves."""
    command = arguments.command
    if command.__module__ in _USING_DATA or command in {roles.connect, roles.migrate, backup.backup}:
        from ml_backend.ops.using import using_data

        return using_data(settings, f"command {command.__name__}")
    return nullcontext()


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Bring everything up on this machine and keep it running until Ctrl-C."""
    from ml_backend.launch.console import Console
    from ml_backend.launch.up import bring_up

    return bring_up(settings, Console())


def predict(arguments: argparse.Namespace, settings: Settings) -> int:
    """Name the fields on images, and on the pages of PDF and TIFF files."""
    from model.pipeline import build_pipeline

    pipeline = build_pipeline(
        engine=settings.ocr_engine,
        ocr_models_dir=settings.ocr_models_dir,
        extractor_dir=settings.extractor_dir,
        threads=settings.inference_threads,
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
        languages=settings.languages,
        runtime=settings.extractor_runtime,
    )
    names = match_names(pipeline.fields, arguments.fields) if arguments.fields else None

    def predict_one(data: bytes, say: Callable[[str], None]) -> list[dict[str, object]]:
        document = pipeline.predict(data)
        for note in document.page.notes:
            say(str(note.sentence))
        return _values(document, names)

    return _each_image(
        arguments,
        settings,
        predict_one,
        lambda pages: [value | {"page": number} for number, values in pages for value in values],
    )


def read(arguments: argparse.Namespace, settings: Settings) -> int:
    """Read the lines on images, and on the pages of PDF and TIFF files."""
    from ml_backend.cli.recogniser import find_recogniser
    from ml_backend.predict.engine_pool import build_engine_of
    from model.document.images import load_image

    engine = build_engine_of(settings, find_recogniser(settings, arguments.recogniser))

    def read_one(data: bytes, _say: Callable[[str], None]) -> dict[str, object]:
        limits = {"max_bytes": settings.max_image_bytes, "max_pixels": settings.max_image_pixels}
        return _lines(engine.read(load_image(data, **limits)))

    return _each_image(
        arguments,
        settings,
        read_one,
        lambda pages: {"pages": [{"page": number} | page for number, page in pages]},
    )


def write_json(path: Path, content: object) -> None:
    """Write a JSON file at once: a reader sees the old content or the new, never half of it.

    Raises:
        OSError: If the folder cannot be made or written.
    """
    with replacing(path) as file:
        file.write((json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ml_backend",
        description="A Label Studio ML backend for documents. Its settings: docs/operations/settings.md.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, "run", run)
    for name, command in (("predict", predict), ("read", read)):
        subparser = _add(commands, name, command)
        subparser.add_argument(
            "images",
            nargs="+",
            type=Path,
            metavar="FILE",
            help="image, PDF or TIFF file, or folder searched with all below it",
        )
        if command is read:
            subparser.add_argument(
                "--recogniser",
                default="shipped",
                metavar="VERSION",
                help="version whose recogniser reads, such as p7-v3, or a head's file; without it, the one that ships",
            )
        else:
            subparser.add_argument(
                "--fields",
                type=_names,
                default=(),
                metavar="NAMES",
                help="only these, separated by commas, called so: TEL gives telephone numbers as TEL, and fax numbers "
                "too unless there is a name for them",
            )
        subparser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON file to write")
    for module in (pages, samples, versions, ordering, active_learning, doctor, roles, backup):
        module.add_commands(lambda name, command: _add(commands, name, command))
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: Callable[[argparse.Namespace, Settings], int],
) -> argparse.ArgumentParser:
    summary = (command.__doc__ or "").strip()
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(command=command)
    return parser


def _names(said: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in said.split(",") if name.strip())


def _each_image(
    arguments: argparse.Namespace,
    settings: Settings,
    work: Callable[[bytes, Callable[[str], None]], Result],
    joined: Callable[[Sequence[tuple[int, Result]]], object],
) -> int:
    """Work on every image, report those that fail, write the results of the others.

    Args:
        arguments: The files, and where the results go.
        settings: What files may be.
        work: Does one image; what else is to be said of it, it gives to its second argument.
        joined: Makes one result of those of a document's pages, given with their numbers from 1.
    """
    from ml_backend.container import page_limits
    from model.document.page_files import is_paged, split_pages

    limits = page_limits(settings)
    # One byte past the limit is enough to be refused.
    most = max(settings.max_image_bytes, settings.max_document_bytes) + 1
    images = list(find_images(arguments.images, name_left_out))
    if not images:
        print("There is no image among the files and folders given.", file=sys.stderr)
        return 1
    results: dict[str, object] = {}
    with tqdm(images, unit="image", file=sys.stderr) as progress:
        for name, path in progress:

            def say(what: str, path: Path = path) -> None:
                progress.write(f"{path}: {what}", file=sys.stderr)

            try:
                with path.open("rb") as file:
                    data = file.read(most)
                if is_paged(data):
                    pages = split_pages(data, limits)
                    results[name] = joined([(number, work(page, say)) for number, page in enumerate(pages, start=1)])
                else:
                    results[name] = work(data, say)
            except OSError as error:
                progress.write(f"{path}: {error.strerror}", file=sys.stderr)
            except ModelError as error:
                progress.write(f"{path}: {error}", file=sys.stderr)
    try:
        write_json(arguments.out, results)
    except OSError as error:
        print(f"{arguments.out} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    failed = len(images) - len(results)
    if failed:
        print(f"{failed} of {len(images)} images failed.", file=sys.stderr)
    return 1 if failed else 0


def _values(document: Document, names: Mapping[str, str] | None) -> list[dict[str, object]]:
    return [
        {
            "field": value.field,
            "text": value.text,
            "score": round(value.score, 6),
            "boxes": [[box.x0, box.y0, box.x1, box.y1] for box in value.boxes],
        }
        for value in field_values(document, names)
    ]


def _lines(page: Page) -> dict[str, object]:
    from model.ocr.text_suggestions import suggestions

    lines: list[dict[str, object]] = []
    for line in page.lines:
        entry: dict[str, object] = {"text": line.text, "score": round(line.score, 6), "polygon": line.polygon}
        if not line.readable:
            entry["readable"] = False
        elif proposed := suggestions(line.text):
            entry["suggestions"] = [asdict(suggestion) for suggestion in proposed]
        lines.append(entry)
    result: dict[str, object] = {"width": page.width, "height": page.height, "lines": lines}
    if page.turn:
        result["turn"] = page.turn
    if page.notes:
        result["notes"] = [str(note.sentence) for note in page.notes]
    return result
