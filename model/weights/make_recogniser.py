"""Make the recogniser's head that ships: ``python -m model.weights.make_recogniser``.

Lines are drawn in the fonts of the machine (`CONTRIBUTING.md` names the packages; a fifth of the families is kept for
measuring), the backbone of the rapidocr wheel turns them into features, and a head for Latin and Cyrillic is trained on
them, starting from the rows that the wheel's own head has for these characters.
"""

from __future__ import annotations

import argparse
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.errors import RecogniserError, SyntheticError
from model.ocr.files import recogniser_file
from model.recognition.augmentation import augment_crop
from model.recognition.backbone import Backbone
from model.recognition.charset import DEFAULT_LANGUAGES, charset_of
from model.recognition.confidence import fit_temperature
from model.recognition.head import Head
from model.recognition.lines import FeatureLine, save_lines
from model.recognition.measuring import measure, pooled
from model.recognition.pictures import FILE as PICTURES
from model.recognition.pictures import draw_pictures, draw_rare, save_pictures
from model.recognition.rendered import CYRILLIC_SHARE, FIRST_MEASURING_SEED, FIRST_TRAINING_SEED, prepare
from model.recognition.replay import LEARNING, MEASURING, replay_file
from model.recognition.shipped import SHIPPED_RECOGNISER
from model.recognition.training import HeadPlan, HeadProgress, train_head
from model.synthetic.fonts import FontSet
from model.synthetic.text_lines import cyrillic_share, draw_line

FIRST_REPLAY_SEED = 8_000_000
FIRST_COVERAGE_SEED = 7_000_000


# Steps to which features of the shipped lines are rounded, and lines of each kind: together below 3 MB.
_STEPS = {LEARNING: 15, MEASURING: 31}

logger = logging.getLogger(__name__)


def coverage_lines(backbone: Backbone, fonts: FontSet, otherwise: FontSet, first_seed: int) -> list[FeatureLine]:
    """Return short lines that hold each character of the charset, in fonts of ``fonts`` where any has it."""
    charset = [c for c in charset_of(DEFAULT_LANGUAGES) if c != " "]
    rng = np.random.default_rng(first_seed)
    order = [charset[i] for i in rng.permutation(len(charset))]
    found = []
    for number, start in enumerate(range(0, len(order), 3)):
        group = order[start : start + 3]
        cyrillic = any("\u0400" <= c < "\u0530" for c in group)
        text = " ".join(("слово" if "\u0400" <= c < "\u0530" else "word") + c for c in group)
        for parts, chosen in ((text.split(), fonts), (text.split(), otherwise)):
            for part in parts if chosen is otherwise else [text]:
                try:
                    line = draw_line(
                        first_seed + number,
                        fonts=chosen,
                        charset=charset,
                        locales=cyrillic_share(CYRILLIC_SHARE),
                        text=part,
                    )
                except SyntheticError:
                    continue
                crop = augment_crop(line.image, np.random.default_rng((first_seed, number)), 0.5)
                found.append(FeatureLine(backbone.features([crop])[0], part, "bg" if cyrillic else "en"))
            if found and found[-1].text in (text, parts[-1]):
                break
    return found


def by_language(lines: Sequence[FeatureLine]) -> dict[str, list[FeatureLine]]:
    """Return the lines of each language, the most frequent first."""
    groups: dict[str, list[FeatureLine]] = defaultdict(list)
    for line in lines:
        groups[line.language].append(line)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def wary(head: Head, lead: float) -> Head:
    """Return a head that takes a letter for a Cyrillic one only if it is likelier by ``lead``, in nats.

    Half of the rendered lines are Cyrillic, of documents fewer are; and a Cyrillic letter in an address of the web does
    more harm than a Latin one in a word.
    """
    bias = head.bias.copy()
    bias[[number for number, c in enumerate(head.characters, 1) if "\u0400" <= c <= "\u052f"]] -= lead
    return replace(head, bias=bias)


def respecting(head: Head, share: float) -> Head:
    """Return a head to which neighbours count less than rendered lines taught: real print misleads them more often."""
    layer = head.context
    if layer is None:
        return head
    by = np.float32(share)
    return replace(head, context=replace(layer, outer=layer.outer * by, outer_bias=layer.outer_bias * by))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SHIPPED_RECOGNISER, help="folder of the head")
    parser.add_argument("--work", type=Path, default=Path(".run/recogniser"), help="folder of lines kept between runs")
    parser.add_argument("--backbone", type=Path, help="a recogniser's ONNX file; by default the rapidocr wheel's")
    parser.add_argument("--lines", type=int, default=16_000, help="lines to learn from")
    parser.add_argument("--replay", type=int, default=450, help="lines that ship to be learned from again")
    parser.add_argument("--measuring", type=int, default=160, help="lines that ship to show what was forgotten")
    parser.add_argument(
        "--pictures", type=int, nargs=2, default=(280, 560), help="ordinary lines that ship as pictures"
    )
    parser.add_argument("--fonts", type=Path, help="folder of fonts; by default where systems keep them")
    parser.add_argument("--held-out", type=int, default=1000, help="lines to calibrate and to measure with, half each")
    parser.add_argument("--seconds", type=float, default=600.0, help="time for training")
    parser.add_argument("--passes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=4e-3, help="learning rate")
    parser.add_argument("--noise", type=float, default=0.03)
    parser.add_argument("--wariness", type=float, default=1.5, help="by how much Cyrillic letters must lead")
    parser.add_argument("--respect", type=float, default=0.77, help="share of what neighbours say that counts")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--only-prepare", action="store_true", help="stop when the lines are made")
    parser.add_argument("--only-head", action="store_true", help="leave the lines that ship as they are")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    onnx_file = options.backbone or recogniser_file(None)
    if onnx_file is None:
        raise RecogniserError("The rapidocr package brings no recogniser: install it, or name one with --backbone.")
    backbone = Backbone(onnx_file, options.threads)
    known, unseen = FontSet.find([options.fonts] if options.fonts else None).split()

    def lines_of(name: str, fonts: FontSet, first: int, count: int) -> list[FeatureLine]:
        with tqdm(total=count, desc=name, disable=None) as bar:
            forward: Callable[[int], None] = lambda done: bar.update(done - bar.n)  # noqa: E731
            return prepare(options.work / name, backbone, fonts, range(first, first + count), forward)

    held_out = lines_of("measuring", unseen, FIRST_MEASURING_SEED, options.held_out)
    # The first only tell when to stop and how sure to be.
    valid, measured = held_out[: options.held_out // 2], held_out[options.held_out // 2 :]
    lines = lines_of("training", known, FIRST_TRAINING_SEED, options.lines)
    if not options.only_head:
        kinds = {LEARNING: (known, options.replay, FIRST_REPLAY_SEED), MEASURING: (unseen, options.measuring, 0)}
        for number, (kind, (fonts, count, first)) in enumerate(kinds.items()):
            kept = held_out[-count:] if kind == MEASURING else lines_of(kind, fonts, first, count)
            kept = [*kept, *coverage_lines(backbone, fonts, known, FIRST_COVERAGE_SEED + 10_000 * number)]
            save_lines(kept, replay_file(kind, options.out), backbone=backbone.digest, steps=_STEPS[kind])
            logger.info("%d lines for %s", len(kept), kind)
        pictures = [
            *draw_pictures(known, options.pictures[0], measures=False),
            *draw_pictures(unseen, options.pictures[1], measures=True),
            *draw_rare(known, known, measures=False),
            *draw_rare(unseen, known, measures=True),
        ]
        save_pictures(pictures, options.out / PICTURES)
        logger.info("%d lines as pictures", len(pictures))
    if options.only_prepare:
        return
    charset = charset_of(DEFAULT_LANGUAGES)
    start = backbone.original.widened(charset).narrowed(charset)
    # What PP-OCR's own head knows stays as it is, and with it how it reads real print, which rendered lines are not.
    kept_rows = "".join(c for c in charset if backbone.original.knows(c))
    plan = HeadPlan(
        budget_seconds=options.seconds,
        passes=options.passes,
        learning_rate=options.rate,
        noise=options.noise,
        evaluations=15,
        patience=15,
        context=True,
        frozen=kept_rows,
    )

    def tell(progress: HeadProgress) -> None:
        logger.info(
            "step %d of %d: loss %.3f, CER %.4f, %.0f s",
            progress.step,
            progress.steps,
            progress.loss,
            progress.valid_cer or 0.0,
            progress.seconds,
        )

    taught = train_head(start, lines, valid, (), plan, tell).head
    doubtful = wary(respecting(taught, options.respect), options.wariness)
    final = replace(doubtful, temperature=fit_temperature(doubtful, valid))
    options.out.mkdir(parents=True, exist_ok=True)
    final.save(options.out)
    for name, head in (("before", start), ("after", final)):
        for language, group in by_language(measured).items():
            score = pooled(measure(head, group))
            logger.info(
                "%s %s: CER %.4f, whole lines %.3f of %d", name, language, score.cer, score.line_accuracy, score.lines
            )


if __name__ == "__main__":
    main()
