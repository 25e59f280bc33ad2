"""Teach a checkpoint what people annotated: minutes of training, on top of what it knows already.

Annotated pages alternate with synthetic cards, so that fields with few examples are not forgotten; both are seen
through :mod:`model.extraction.augment`. A part of the annotated pages only tells when to stop, and how sure to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import (
    LayoutLMv3ForTokenClassification,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback

from model.document.bio import OUTSIDE
from model.errors import WeightsError
from model.extraction.augment import Augmentation
from model.extraction.calibration import FloatArray, fit_temperature
from model.extraction.checkpoint import load_checkpoint
from model.extraction.committee import Committee
from model.extraction.extractor import TEMPERATURE, Extractor
from model.extraction.lessons import TrainingSchedule
from model.extraction.objective import Objective, batch_loss, grouped
from model.extraction.opinions import proposals_of
from model.extraction.packing import save_packed
from model.extraction.probing import fit_new_rows
from model.extraction.training import IGNORED, Example, PageDataset, collate
from model.extraction.widening import widen

#: Fewer pages than this say nothing of when to stop or how sure to be.
_LEAST_VALID = 4
#: Synthetic cards for each annotated page, at most: more would leave too little time for the pages.
_MOST_REPLAY = 3.0
#: Steps whose time is measured before it is known how many fit.
_MEASURED_STEPS = 4
#: Share of the time in which pages are looked at to give new fields a start.
_PROBING = 0.15
#: A fifth more than planned is the most that a run takes, however slow the machine became meanwhile.
_PATIENCE = 1.2


@dataclass(frozen=True, slots=True)
class FinetunePlan:
    """How long and how fast to learn.

    Attributes:
        budget_seconds: Time for training itself; as many steps are planned as fit.
        passes: Times that each annotated page is seen, at most.
        batch_size: Pages a step.
        replay: Synthetic cards for each annotated page.
        learning_rate: Highest rate of the layers.
        head_rate: Highest rate of the output.
        frozen_layers: Lowest layers that stay as they are, and the embeddings with them.
        heaviest: Most that a tag's rarity may count.
        evaluations: Times that the validation pages are looked at.
        augmentation: How pages are changed.
        seed: Of everything that is drawn.
        on_cpu: Whether to leave a GPU alone.
    """

    budget_seconds: float = 60.0
    passes: float = 16.0
    batch_size: int = 8
    replay: float = 0.5
    learning_rate: float = 2e-4
    head_rate: float = 1e-3
    frozen_layers: int = 0
    heaviest: float = 3.0
    evaluations: int = 6
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
    """

    folder: Path
    temperature: float
    curve: tuple[Progress, ...]
    best_step: int


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
    _freeze(model, plan.frozen_layers)
    objective = Objective.of(model, fields, rename, train, plan.heaviest)
    cards = [_within(card, model.config.label2id) for card in replay if card.tags]
    if model.config.num_labels > known:
        # Cards in turn with the pages: what a new field is not stands on them.
        pages = _batches(train, model, tokenizer, plan.batch_size)
        others = _batches(cards[: len(train)], model, tokenizer, plan.batch_size, exact=True)
        mixed = [batch for pair in zip_longest(pages, others) for batch in pair if batch is not None]
        fit_new_rows(model, mixed, objective, known, seconds=_PROBING * plan.budget_seconds)
    lessons = TrainingSchedule(
        train,
        cards,
        model,
        tokenizer,
        passes=round(plan.passes),
        cards=min(plan.replay, _MOST_REPLAY),
        augmentation=plan.augmentation,
        seed=plan.seed,
    )
    steps = _steps_within(plan, model, lessons, objective)
    watch = _Watch(model, _batches(valid, model, tokenizer, plan.batch_size), objective, steps, plan, on_progress)
    trainer = _Trainer(
        objective,
        model=model,
        args=_arguments(plan, steps, folder),
        train_dataset=lessons,
        data_collator=collate,
        callbacks=[watch],
        optimizers=(_optimiser(model, plan), None),
    )
    # It would print every step.
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    model.eval().cpu()
    watch.restore_best()
    temperature = float(getattr(model.config, TEMPERATURE, 1.0))
    if len(valid) >= _LEAST_VALID:
        temperature = _temperature(model, watch.batches, objective)
    temperature = round(temperature, 4)
    setattr(model.config, TEMPERATURE, temperature)
    _save(model, tokenizer, folder)
    model.config.committee = _adapted(model, folder, valid, fields, rename).to_json()
    model.config.save_pretrained(folder)
    return FineTuned(folder, temperature, tuple(watch.curve), watch.best_step)


class _Trainer(Trainer):  # type: ignore[misc]
    """Transformers' trainer with our loss, over lessons that are in order already."""

    def __init__(self, objective: Objective, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._objective = objective

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        targets = inputs.pop("labels")
        outputs = model(**inputs)
        loss = self._objective(outputs.logits, targets)
        return (loss, outputs) if return_outputs else loss

    def _get_train_sampler(self, *_: Any, **__: Any) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self.train_dataset)


class _Watch(TrainerCallback):  # type: ignore[misc]
    """Reports each step, looks at the validation pages now and then, and remembers the best weights."""

    def __init__(
        self,
        model: LayoutLMv3ForTokenClassification,
        batches: Sequence[dict[str, torch.Tensor]],
        objective: Objective,
        steps: int,
        plan: FinetunePlan,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._model, self.batches, self._objective = model, batches, objective
        self._steps, self._plan, self._on_progress = steps, plan, on_progress
        pages = sum(len(batch["labels"]) for batch in batches)
        self._every = max(1, steps // plan.evaluations) if pages >= _LEAST_VALID else 0
        self._best: dict[str, torch.Tensor] = {}
        self._best_loss = float("inf")
        self._started = time.monotonic()
        self.best_step = 0
        self.curve: list[Progress] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._started = time.monotonic()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        if not logs or "loss" not in logs:
            return
        step, spent = state.global_step, time.monotonic() - self._started
        last = step >= self._steps or spent > _PATIENCE * self._plan.budget_seconds
        valid = None
        if self._every and (step % self._every == 0 or last):
            valid = self._valid_loss()
            if valid < self._best_loss:
                self._best_loss, self.best_step = valid, step
                self._best = {n: p.detach().clone() for n, p in self._model.named_parameters() if p.requires_grad}
        progress = Progress(step, self._steps, float(logs["loss"]), spent / step * max(0, self._steps - step), valid)
        self.curve.append(progress)
        self._on_progress(progress)
        control.should_training_stop = control.should_training_stop or last

    def restore_best(self) -> None:
        """Give the model the weights that did best; the last ones where nothing was measured."""
        if not self._best:
            self.best_step = self.curve[-1].step if self.curve else 0
            return
        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                if name in self._best:
                    parameter.copy_(self._best[name])

    def _valid_loss(self) -> float:
        training = self._model.training
        self._model.eval()
        with torch.inference_mode():
            losses = [float(batch_loss(self._model, batch, self._objective)) for batch in self.batches]
        self._model.train(training)
        return float(np.mean(losses))


def _within(card: Example, known: Mapping[str, int]) -> Example:
    return replace(card, tags=tuple(tag if tag in known else OUTSIDE for tag in card.tags))


def _freeze(model: LayoutLMv3ForTokenClassification, layers: int) -> None:
    frozen = [model.layoutlmv3.embeddings.word_embeddings]
    if layers:
        frozen += [model.layoutlmv3.embeddings, *model.layoutlmv3.encoder.layer[:layers]]
    for module in frozen:
        module.requires_grad_(False)


def _optimiser(model: LayoutLMv3ForTokenClassification, plan: FinetunePlan) -> torch.optim.Optimizer:
    head = set(model.classifier.parameters())
    body = [p for p in model.parameters() if p.requires_grad and p not in head]
    groups = [{"params": body, "lr": plan.learning_rate}, {"params": list(head), "lr": plan.head_rate}]
    return torch.optim.AdamW(groups, weight_decay=0.01)


def _arguments(plan: FinetunePlan, steps: int, folder: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=plan.batch_size,
        warmup_steps=0.1,
        lr_scheduler_type="linear",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        seed=plan.seed,
        use_cpu=plan.on_cpu,
        dataloader_pin_memory=plan.on_gpu,
        disable_tqdm=True,
        remove_unused_columns=False,
    )


def _steps_within(
    plan: FinetunePlan, model: LayoutLMv3ForTokenClassification, lessons: TrainingSchedule, objective: Objective
) -> int:
    """Return how many steps are planned: as many as the lessons last, or fit into the time."""
    steps = max(1, len(lessons) // plan.batch_size)
    if plan.on_gpu:
        return steps
    model.train()
    # At a rate of 0 it takes its time, and changes nothing.
    idle = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0)
    took = []
    for step in range(min(_MEASURED_STEPS, steps)):
        places = range(step * plan.batch_size, min((step + 1) * plan.batch_size, len(lessons)))
        start = time.monotonic()
        torch.autograd.backward(batch_loss(model, collate([lessons[i] for i in places]), objective))
        idle.step()
        took.append(time.monotonic() - start)
        model.zero_grad(set_to_none=True)
    # The quickest is the one that nothing else held up; looking at the validation pages comes on top.
    return max(1, min(steps, int(plan.budget_seconds / (1.15 * min(took)))))


def _batches(
    examples: Sequence[Example],
    model: LayoutLMv3ForTokenClassification,
    tokenizer: Tokenizer,
    size: int,
    *,
    exact: bool = False,
) -> list[dict[str, torch.Tensor]]:
    dataset = PageDataset(examples.__getitem__, len(examples), model, tokenizer)
    items = []
    for index in range(len(dataset)):
        item = dataset[index]
        if not exact:
            item["labels"] = grouped(item["labels"], model.config.num_labels)
        items.append(item)
    return [collate(items[start : start + size]) for start in range(0, len(items), size)]


def _temperature(
    model: LayoutLMv3ForTokenClassification, batches: Sequence[Mapping[str, torch.Tensor]], objective: Objective
) -> float:
    rows: list[FloatArray] = []
    targets: list[NDArray[np.int64]] = []
    tags = model.config.num_labels
    for batch in batches:
        inputs = dict(batch)
        labels = inputs.pop("labels")
        with torch.inference_mode():
            logits = model(**inputs).logits
        here = labels != IGNORED
        wanted = labels[here]
        # Of the tags that are all right the likeliest stands for the group; the others are out of the question.
        scores, allowed = logits[here].double(), objective.allowed[wanted]
        best = scores.masked_fill(~allowed, -torch.inf).argmax(dim=-1)
        others = allowed.clone()
        others[torch.arange(len(best)), best] = False
        rows.append(scores.masked_fill(others, -1e4).numpy())
        targets.append(best.numpy())
    return fit_temperature(np.concatenate(rows), np.concatenate(targets)) if tags and rows else 1.0


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
