"""``train``, ``evaluate``, ``versions``, ``promote``, ``rollback``, ``pin``, ``unpin``: model versions, by hand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from ml_backend.cli import AddCommand
from ml_backend.cli.connection import connected
from ml_backend.settings import Settings

if TYPE_CHECKING:
    from ml_backend.learn.live_metrics import Outcome, VersionScore
    from ml_backend.learn.service import LearningService
    from model.registry.versions import Version

_SHIPPED = "shipped"


def add_commands(add: AddCommand) -> None:
    """Add the commands to the command line."""
    parser = _with_project(add("train", train))
    parser.add_argument("--here", action="store_true", help="train in this process instead of the trainer's")
    parser.add_argument("--recogniser", action="store_true", help="train the recogniser alone, in this process")
    parser = _with_project(add("evaluate", evaluate))
    parser.add_argument("version", metavar="VERSION", type=_number, help=f"number of the version, or '{_SHIPPED}'")
    parser.add_argument("--recogniser", action="store_true", help="how well lines are read, instead of named")
    _with_project(add("versions", versions))
    parser = _with_project(add("promote", promote))
    parser.add_argument("version", metavar="VERSION", type=_number, help=f"number of the version, or '{_SHIPPED}'")
    _with_project(add("rollback", rollback))
    parser = _with_project(add("pin", pin))
    parser.add_argument("version", metavar="VERSION", type=int, help="number of the version")
    _with_project(add("unpin", unpin))


def train(arguments: argparse.Namespace, settings: Settings) -> int:
    """Have a project's annotations learned from, however few are new."""
    from ml_backend.container import build_learning

    services = build_learning(connected(settings))
    try:
        services.service.sync(arguments.project)
        run, _ = services.service.train(arguments.project, forced=True)
    finally:
        services.close()
    if not arguments.here and not arguments.recogniser:
        print(f"Run {run.id} is pending; the trainer starts it within seconds.")
        return 0
    from ml_backend.container import build_training
    from ml_backend.learn import training_run

    training = build_training(connected(settings))
    if arguments.recogniser and training.recogniser is None:
        print("RECOGNISER_BUDGET_SECONDS is 0: set a time for learning to read.", file=sys.stderr)
        return 1
    outcome = training_run.train(training, run.id, only_recogniser=arguments.recogniser)
    done = training.runs.run(run.id)
    print(f"Run {run.id}: {outcome}" + (f": {done.message}" if done is not None and done.message else "."))
    return 0 if outcome in {"promoted", "kept"} else 1


def evaluate(arguments: argparse.Namespace, settings: Settings) -> int:
    """Compare what a version names on a project's held-out documents with what people annotated there."""
    from ml_backend.container import build_training
    from ml_backend.label_studio.label_config import parse_label_config
    from ml_backend.learn import evaluation as training_report
    from ml_backend.learn.training_run import documents_of
    from model.evaluation.entity_metrics import total
    from model.evaluation.extractor_gate import held_out
    from model.extraction.calibration import expected_calibration_error, reliability
    from model.extraction.extractor import Extractor

    services = build_training(connected(settings))
    folder = services.shipped
    if arguments.version is not None:
        folder = services.registry.folder_of(services.registry.version(arguments.project, arguments.version))
    if arguments.recogniser:
        from ml_backend.cli.recogniser import evaluate_recogniser

        return evaluate_recogniser(services, arguments.project, folder)
    extractor = Extractor.load(folder, threads=settings.inference_threads)
    config = parse_label_config(services.label_studio.project(arguments.project).label_config)
    collector = services.collector
    if services.recogniser is not None:
        # The version's own recogniser reads for it.
        collector = services.recogniser.collector(services.recogniser.reading(folder))
    collected = collector.collect(arguments.project, config, extractor.fields)
    documents = documents_of(collected)
    kept = held_out(arguments.project, documents, least=settings.gate_min_documents)
    found = training_report.evaluate(
        extractor, [documents[task] for task in sorted(kept)], collected.fields, collected.rename
    )
    print(f"{len(kept)} held-out documents")
    print(f"{'field':24} {'precision':>9} {'recall':>9} {'F1':>9} {'entities':>9}")
    for field, score in total(found.counts).items():
        print(f"{field[:24]:24} {score.precision:9.3f} {score.recall:9.3f} {score.f1:9.3f} {score.wanted:9}")
    error = expected_calibration_error(reliability(found.confidences, found.right))
    print(f"expected calibration error of the entities' confidence: {error:.3f}")
    return 0


def versions(arguments: argparse.Namespace, settings: Settings) -> int:
    """List a project's versions: what the gate found, and how they do while people work with them."""
    import numpy as np

    from ml_backend.container import build_versions
    from ml_backend.learn import live_metrics as comparison
    from ml_backend.store.annotations import LearningStore
    from ml_backend.store.events import Store

    registry, _, _ = build_versions(settings)
    champion, challenger = registry.champion(arguments.project), registry.challenger(arguments.project)
    outcomes = comparison.outcomes(LearningStore(Store(settings.store_url).engine), arguments.project)
    live = comparison.score(outcomes)
    measured = f"{'F1':>6} {'CER':>7} {'decision':9} {'documents':>9} {'cost':>6} {'live F1':>7}"
    print(f"{'version':30} {'registered':16} {measured}")
    for version in registry.versions(arguments.project):
        alias = "champion" if version == champion else "challenger" if version == challenger else ""
        print(
            f"{version.name:30} {version.created_at:%Y-%m-%d %H:%M} {version.tags.get('f1', '')[:6]:>6} "
            f"{_cer(version):>7} "
            f"{version.tags.get('decision', ''):9} {_live(live.get(version.number))} {alias}".rstrip()
        )
    serving = "champion" if champion is None else ""
    print(f"{_SHIPPED:30} {'':16} {'':6} {'':7} {'':9} {_live(live.get(0))} {serving}".rstrip())
    present, rival = champion.number if champion else 0, challenger.number if challenger else None
    if rival is not None:
        difference = comparison.compare(_of(outcomes, present), _of(outcomes, rival), np.random.default_rng(0))
        print(_said(difference))
    return 0


def promote(arguments: argparse.Namespace, settings: Settings) -> int:
    """Let a version serve its project from now on."""
    from ml_backend.learn.promotion import BY_HAND

    with _learning(settings) as service:
        now = service.promote(arguments.project, arguments.version or 0, by="cli", reason=BY_HAND)
    print(f"Project {arguments.project} is served by {_name(now.version)}, before by {_name(now.previous)}.")
    return 0


def rollback(arguments: argparse.Namespace, settings: Settings) -> int:
    """Let the version serve again that served before the present one."""
    from ml_backend.learn.promotion import ROLLED_BACK

    with _learning(settings) as service:
        now = service.roll_back(arguments.project, by="cli", reason=ROLLED_BACK)
    print(f"Project {arguments.project} is served by {_name(now.version)} again.")
    return 0


def pin(arguments: argparse.Namespace, settings: Settings) -> int:
    """Have a project stay with a version, whatever is promoted."""
    from ml_backend.container import build_versions
    from ml_backend.store.annotations import LearningStore
    from ml_backend.store.events import Store

    registry, _, _ = build_versions(settings)
    version = registry.version(arguments.project, arguments.version)
    LearningStore(Store(settings.store_url).engine).pin(arguments.project, version.number)
    print(f"Project {arguments.project} stays with {_name(version.number)} until it is unpinned.")
    return 0


def unpin(arguments: argparse.Namespace, settings: Settings) -> int:
    """Have a project follow what is promoted again."""
    from ml_backend.store.annotations import LearningStore
    from ml_backend.store.events import Store

    LearningStore(Store(settings.store_url).engine).pin(arguments.project, None)
    print(f"Project {arguments.project} follows its champion.")
    return 0


def _of(outcomes: list[Outcome], version: int) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.version == version]


def _live(score: VersionScore | None) -> str:
    if score is None:
        return f"{'':9} {'':6} {'':7}"
    f1 = "" if score.entity_f1 is None else f"{score.entity_f1:.3f}"
    return f"{score.documents:9} {score.cost:6.2f} {f1:>7}"


def _cer(version: Version) -> str:
    from ml_backend.learn.promotion import cer_of

    cer = cer_of(version)
    return "" if cer is None else f"{100 * cer:.2f} %"


def _said(difference: object) -> str:
    from ml_backend.learn.live_metrics import FEWEST, Difference

    if not isinstance(difference, Difference):
        return f"Champion and challenger cannot be compared before people began with {FEWEST} predictions of each."
    verdict = "more than chance" if difference.real else "which may be chance"
    return (
        f"The challenger needs {difference.cost:+.2f} corrections per document "
        f"(95 %: {difference.low:+.2f} to {difference.high:+.2f}), {verdict}."
    )


@contextmanager
def _learning(settings: Settings) -> Iterator[LearningService]:
    """Lend the actions that need no Label Studio."""
    from ml_backend.container import build_learning_service
    from ml_backend.store.events import Store

    with closing(Store(settings.store_url)) as store:
        yield build_learning_service(settings, store, None)


def _name(number: int) -> str:
    return f"version {number}" if number else "the weights that ship"


def _number(text: str) -> int | None:
    return None if text == _SHIPPED else int(text)


def _with_project(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("project", type=int, metavar="PROJECT", help="number of the project in Label Studio")
    return parser
