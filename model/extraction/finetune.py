"""Train a checkpoint on what people annotated, on top of what it knows already, until that helps no more.

Annotated pages alternate with synthetic cards, so that fields with few examples are not forgotten; annotated pages are
seen through :mod:`model.extraction.augment`. The lower layers stay as they are (:mod:`model.extraction.upper_layers`).
A part of the annotated pages only tells when to stop, how far to go from the start, and how sure to be.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import LayoutLMv3ForTokenClassification

from model.document.bio import OUTSIDE
from model.errors import WeightsError
from model.extraction.augment import Augmentation, augment
from model.extraction.calibration import FloatArray, fit_temperature
from model.extraction.checkpoint import load_checkpoint
from model.extraction.committee import Committee
from model.extraction.extractor import TEMPERATURE, Extractor
from model.extraction.objective import Objective, grouped
from model.extraction.opinions import proposals_of
from model.extraction.packing import save_packed
from model.extraction.probing import fit_new_rows
from model.extraction.training import IGNORED, Example, PageDataset, collate
from model.extraction.upper_layers import PreparedWindow, UpperLayers
from model.extraction.widening import widen

#: Fewer pages than this say nothing of when to stop or how sure to be.
_LEAST_VALID = 4
#: Synthetic cards for each annotated page, at most: more would leave too little time for the pages.
_MOST_REPLAY = 3.0
#: Share of the time in which pages are looked at to give new fields a start.
_PROBING = 0.15
#: Share of the steps in which the learning rate rises.
_WARM_UP = 0.1
#: The temperature of the start counts as much as that of so many validation pages.
_FIRM_TEMPERATURE = 20.0


@dataclass(frozen=True, slots=True)
class FinetunePlan:
    """How long and how fast to learn.

    Attributes:
        budget_seconds: The most time that training may take; it usually ends before, when it helps no more.
        passes: Times that each annotated page is seen, at most.
        variants: Changed copies of each annotated page, which are seen in turn with the page itself.
        batch_size: Pages a step.
        replay: Synthetic cards for each annotated page.
        learning_rate: Highest rate of the layers.
        head_rate: Highest rate of the output.
        frozen_layers: Lowest layers that stay as they are, at most half of all; the embeddings always do.
        heaviest: Most that a tag's rarity may count.
        evaluations: Times that the validation pages are looked at, if nothing ends the training before.
        patience: Evaluations without a smaller loss that end the training.
        distances: How much of the way from the start to where training led may be taken; the least validation loss
            decides, the first without validation pages (Wortsman et al., "Robust fine-tuning of zero-shot models",
            CVPR 2022).
        augmentation: How pages are changed.
        seed: Of everything that is drawn.
        on_cpu: Whether to leave a GPU alone.
    """

    budget_seconds: float = 60.0
    passes: float = 20.0
    variants: int = 4
    batch_size: int = 8
    replay: float = 0.5
    learning_rate: float = 2e-4
    head_rate: float = 1e-3
    frozen_layers: int = 3
    heaviest: float = 3.0
    evaluations: int = 8
    patience: int = 3
    distances: tuple[float, ...] = (0.7, 1.0)
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0
    on_cpu: bool = False

    @property
    def on_gpu(self) -> bool:
        """Whether training happens on a GPU, where time is no concern."""
        return torch.cuda.is_available() and not self.on_cpu


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the training is.

    Attributes:
        step: Steps done.
        steps: Steps planned.
        loss: Mean training loss of the latest steps.
        eta_seconds: How much longer it will probably take.
        valid_loss: Loss on the validation pages, where it was measured at this step.
    """

    step: int
    steps: int
    loss: float
    eta_seconds: float
    valid_loss: float | None = None


@dataclass(frozen=True, slots=True)
class FineTuned:
    """What came out.

    Attributes:
        folder: The new checkpoint.
        temperature: What its logits are divided by.
        curve: Every step's progress.
        best_step: The step whose weights were kept.
        distance: How much of the way from the start to these weights was taken, in ``[0, 1]``.
    """

    folder: Path
    temperature: float
    curve: tuple[Progress, ...]
    best_step: int
    distance: float


def fine_tune(
    base: Path,
    train: Sequence[Example],
    valid: Sequence[Example],
    replay: Sequence[Example],
    *,
    fields: Sequence[str],
    rename: Mapping[str, str],
    plan: FinetunePlan,
    folder: Path,
    on_progress: Callable[[Progress], None],
) -> FineTuned:
    """Make a new checkpoint out of ``base``.

    The project may lack fields that the checkpoint knows. Its pages then say nothing of these: a word outside all of
    the project's fields may be one of theirs, and the checkpoint keeps what it knows of them.

    Args:
        base: The checkpoint to start from.
        train: Annotated pages, tagged with ``fields``.
        valid: Annotated pages that are not learned from: they tell when to stop. Fewer than four tell nothing.
        replay: Synthetic cards; what is tagged with a field that the checkpoint lacks is outside for it.
        fields: The project's fields; those that the checkpoint lacks are added.
        rename: Fields of the checkpoint that go by another's name in this project, such as ``FAX`` by ``PHONE``.
        plan: How long and how fast.
        folder: Where the checkpoint goes; made if it does not exist.
        on_progress: Called after each step; what it raises ends the training.

    Raises:
        WeightsError: If ``base`` is missing or damaged, or looks at images.
        ValueError: If there is no page with words to learn from.
    """
    model, tokenizer = load_checkpoint(base)
    if model.config.visual_embed:
        raise WeightsError(f"{base} looks at the page's image; only checkpoints without image input can go on learning")
    train = [example for example in train if example.tags]
    valid = [example for example in valid if example.tags]
    if not train:
        raise ValueError("there is no annotated page with words to learn from")
    torch.manual_seed(plan.seed)
    known = model.config.num_labels
    widen(model, fields, seed=plan.seed)
    objective = Objective.of(model, fields, rename, train, plan.heaviest)
    cards = [_within(card, model.config.label2id) for card in replay if card.tags]
    if model.config.num_labels > known:
        # Cards in turn with the pages: what a new field is not stands on them.
        pages = _batches(_windows(train, model, tokenizer), plan.batch_size)
        others = _batches(_windows(cards[: len(train)], model, tokenizer, exact=True), plan.batch_size)
        mixed = [collate(batch) for pair in zip_longest(pages, others) for batch in pair if batch is not None]
        fit_new_rows(model, mixed, objective, known, seconds=_PROBING * plan.budget_seconds)
    if plan.on_gpu:
        model.cuda()
    training = _Training(model, tokenizer, objective, plan, on_progress)
    training.run(train, valid, cards)
    distance = training.interpolate()
    model.eval().cpu()
    temperature = round(_temperature(model, _windows(valid, model, tokenizer), objective, plan.batch_size), 4)
    setattr(model.config, TEMPERATURE, temperature)
    _save(model, tokenizer, folder)
    model.config.committee = _adapted(model, folder, valid, fields, rename).to_json()
    model.config.save_pretrained(folder)
    return FineTuned(folder, temperature, tuple(training.curve), training.best_step, distance)


class _Training:
    """Takes steps until the validation pages are named no better, or the plan ends.

    Args:
        model: What is trained, in place.
        tokenizer: Its tokenizer.
        objective: What is made small.
        plan: How long and how fast.
        on_progress: Told of each step.
    """

    def __init__(
        self,
        model: LayoutLMv3ForTokenClassification,
        tokenizer: Tokenizer,
        objective: Objective,
        plan: FinetunePlan,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._layers = UpperLayers(model, plan.frozen_layers)
        self._model, self._tokenizer, self._objective, self._plan = model, tokenizer, objective, plan
        self._on_progress = on_progress
        self._start = self._weights()
        self._best, self._best_loss = self._start, math.inf
        self._valid: list[PreparedWindow] = []
        self.best_step = 0
        self.curve: list[Progress] = []

    def run(self, train: Sequence[Example], valid: Sequence[Example], cards: Sequence[Example]) -> None:
        """Train; see :func:`fine_tune` for the arguments."""
        plan, started = self._plan, time.monotonic()
        if len(valid) >= _LEAST_VALID:
            self._valid = self._prepared(valid)
            self._best_loss = self._valid_loss()
        rng = np.random.default_rng(plan.seed)
        batches = self._batches(train, cards, rng)
        count = len(train) * (1 + min(plan.replay, _MOST_REPLAY) * bool(cards))
        steps = max(1, round(plan.passes * count / plan.batch_size))
        every = max(1, steps // plan.evaluations)
        head = list(self._model.classifier.parameters())
        body = [each for name, each in self._layers.trained().items() if not name.startswith("classifier.")]
        optimiser = torch.optim.AdamW(
            [{"params": body, "lr": plan.learning_rate}, {"params": head, "lr": plan.head_rate}], weight_decay=0.01
        )
        rates = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps))
        missed = 0
        self._model.train()
        for step, batch in enumerate(islice(batches, steps), 1):
            loss = self._objective(*self._layers.logits(batch))
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(body, 1.0)
            optimiser.step()
            rates.step()
            spent = time.monotonic() - started
            last = step == steps or spent > plan.budget_seconds
            valid_loss = None
            if self._valid and (step % every == 0 or last):
                valid_loss = self._valid_loss()
                missed = 0 if valid_loss < self._best_loss else missed + 1
                if not missed:
                    self._best_loss, self.best_step, self._best = valid_loss, step, self._weights()
                last = last or missed >= plan.patience
            planned = step if last else steps
            eta = spent / step * (planned - step)
            self.curve.append(Progress(step, planned, float(loss.detach()), eta, valid_loss))
            self._on_progress(self.curve[-1])
            if last:
                break
        if not self._valid:
            self.best_step, self._best = self.curve[-1].step, self._weights()

    def interpolate(self) -> float:
        """Give the model weights between those at the start and the best ones; return the share of the way."""
        found = []
        for distance in self._plan.distances:
            self._move(distance)
            found.append((self._valid_loss() if self._valid else 0.0, distance))
        distance = min(found, key=lambda each: each[0])[1]
        self._move(distance)
        return distance

    def _move(self, distance: float) -> None:
        with torch.no_grad():
            for name, parameter in self._layers.trained().items():
                parameter.copy_(self._start[name].lerp(self._best[name], distance))

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: each.detach().clone() for name, each in self._layers.trained().items()}

    def _prepared(self, pages: Sequence[Example], *, exact: bool = False) -> list[PreparedWindow]:
        return self._layers.prepare(_windows(pages, self._model, self._tokenizer, exact=exact))

    def _batches(
        self, train: Sequence[Example], cards: Sequence[Example], rng: np.random.Generator
    ) -> Iterator[list[PreparedWindow]]:
        """Yield batches without end: pass after pass over the pages, changed each time, and some of the cards."""
        plan = self._plan
        share = round(min(plan.replay, _MOST_REPLAY) * len(train)) if cards else 0
        replayed = self._prepared(cards[: share * (1 + plan.variants)], exact=True) if share else []
        variants = [self._prepared(train)]
        number = drawn = 0
        while True:
            if number >= len(variants):
                # One copy after the other, so that the first steps need not wait for all.
                changed = [augment(each, np.random.default_rng((plan.seed, number, i)), plan.augmentation)
                           for i, each in enumerate(train)]  # fmt: skip
                variants.append(self._prepared(changed))
                self._model.train()
            pool = [*variants[number], *(replayed[(drawn + i) % len(replayed)] for i in range(share))]
            drawn += share
            number = (number + 1) % (1 + plan.variants)
            # Windows of about one length go together, in another order each time.
            order = rng.permutation(len(pool))
            lengths = np.array([len(each.targets) for each in pool]) + rng.integers(0, 40, len(pool))
            order = order[np.argsort(lengths[order], kind="stable")]
            starts = range(0, len(pool), plan.batch_size)
            for start in rng.permutation(np.array(starts)):
                yield [pool[index] for index in order[start : start + plan.batch_size]]

    def _valid_loss(self) -> float:
        training = self._model.training
        self._model.eval()
        total = words = 0.0
        with torch.inference_mode():
            for batch in _batches(self._valid, self._plan.batch_size):
                logits, targets = self._layers.logits(batch)
                here = int((targets != IGNORED).sum())
                total, words = total + here * float(self._objective(logits, targets)), words + here
        self._model.train(training)
        return total / max(1.0, words)


def _rate(step: int, steps: int) -> float:
    """Return the learning rate at a step, as a share of the highest: it rises, then falls to 0."""
    rising = max(1.0, _WARM_UP * steps)
    return min((step + 1) / rising, (steps - step) / max(1.0, steps - rising))


def _within(card: Example, known: Mapping[str, int]) -> Example:
    return replace(card, tags=tuple(tag if tag in known else OUTSIDE for tag in card.tags))


def _windows(
    examples: Sequence[Example],
    model: LayoutLMv3ForTokenClassification,
    tokenizer: Tokenizer,
    *,
    exact: bool = False,
) -> list[dict[str, NDArray[Any]]]:
    """Return all windows of all pages; labels are targets of one tag each if ``exact``, else of groups of tags."""
    items: list[dict[str, NDArray[Any]]] = []
    dataset = PageDataset(examples.__getitem__, len(examples), model, tokenizer)
    for index in range(len(dataset)):
        for item in dataset.windows(index):
            labels = item["labels"] if exact else grouped(item["labels"], model.config.num_labels)
            items.append({**item, "labels": labels})
    return items


def _batches(items: Sequence[Any], size: int) -> list[Any]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _temperature(
    model: LayoutLMv3ForTokenClassification,
    windows: Sequence[Mapping[str, NDArray[Any]]],
    objective: Objective,
    size: int,
) -> float:
    """Return the temperature that fits the validation pages, the fewer they are the nearer to that of the start."""
    start = float(getattr(model.config, TEMPERATURE, 1.0))
    if len(windows) < _LEAST_VALID:
        return start
    rows: list[FloatArray] = []
    targets: list[NDArray[np.int64]] = []
    for batch in map(collate, _batches(windows, size)):
        labels = batch.pop("labels")
        with torch.inference_mode():
            logits = model(**batch).logits
        here = labels != IGNORED
        wanted = labels[here]
        # Of the tags that are all right the likeliest stands for the group; the others are out of the question.
        scores, allowed = logits[here].double(), objective.allowed[wanted]
        best = scores.masked_fill(~allowed, -torch.inf).argmax(dim=-1)
        others = allowed.clone()
        others[torch.arange(len(best)), best] = False
        rows.append(scores.masked_fill(others, -1e4).numpy())
        targets.append(best.numpy())
    fitted = fit_temperature(np.concatenate(rows), np.concatenate(targets))
    share = len(windows) / (len(windows) + _FIRM_TEMPERATURE)
    return float(np.exp(share * np.log(fitted) + (1.0 - share) * np.log(start)))


def _adapted(
    model: LayoutLMv3ForTokenClassification,
    folder: Path,
    valid: Sequence[Example],
    fields: Sequence[str],
    rename: Mapping[str, str],
) -> Committee:
    """Return the committee of a checkpoint, its confidence fitted to pages that were not learned from."""
    known = {*fields, *(field for field, name in rename.items() if name in fields)}
    # Of fields that the project lacks nobody says where they are.
    seen = [each for each in proposals_of(Extractor.load(folder), valid, rename) if each.field in known]
    return Committee.from_json(getattr(model.config, "committee", None)).adapted(seen)


def _save(model: LayoutLMv3ForTokenClassification, tokenizer: Tokenizer, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_packed(model.state_dict(), folder / "model.safetensors")
