"""Teach a checkpoint what people annotated: minutes of training, on top of what it knows already.

Annotated pages alternate with synthetic cards, so that fields with few examples are not forgotten; both are seen
through :mod:`model.extraction.augment`. A part of the annotated pages only tells when to stop, and how sure to be.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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

from model.bio import OUTSIDE, field_of
from model.errors import WeightsError
from model.extraction.augment import Augmentation, augment
from model.extraction.calibration import FloatArray, fit_temperature
from model.extraction.extractor import TEMPERATURE, load_checkpoint
from model.extraction.packing import save_packed
from model.extraction.training import IGNORED, Example, PageDataset, collate
from model.extraction.widening import widen

#: Fewer pages than this say nothing of when to stop or how sure to be.
_LEAST_VALID = 4
#: Steps whose time is measured before it is known how many fit.
_MEASURED_STEPS = 4
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
    widen(model, fields, seed=plan.seed)
    _freeze(model, plan.frozen_layers)
    objective = Objective.of(model, fields, rename, train, plan.heaviest)
    cards = [_within(card, model.config.label2id) for card in replay if card.tags]
    lessons = _Lessons(train, cards, plan, model, tokenizer)
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
    return FineTuned(folder, temperature, tuple(watch.curve), watch.best_step)


@dataclass(frozen=True, slots=True)
class Objective:
    """The loss: how unlikely the model finds the tags that may stand at a word, rare ones weighed more.

    Targets below the number of tags stand for one tag. Those above, for annotated pages, stand for all tags that a
    person without a label for some fields would have annotated in the same way.

    Attributes:
        allowed: Shape ``(targets, tags)``: which tags are right for which target.
        weights: Shape ``(targets,)``.
    """

    allowed: torch.Tensor
    weights: torch.Tensor

    @staticmethod
    def of(
        model: LayoutLMv3ForTokenClassification,
        fields: Sequence[str],
        rename: Mapping[str, str],
        train: Sequence[Example],
        heaviest: float,
    ) -> Objective:
        """Return the objective for a model that knows ``fields`` and more; arguments as in :func:`fine_tune`."""
        tags = [model.config.id2label[index] for index in range(model.config.num_labels)]
        ids = {tag: index for index, tag in enumerate(tags)}
        exact = torch.eye(len(tags), dtype=torch.bool)
        grouped = exact.clone()
        for tag, index in ids.items():
            name = field_of(tag)
            if name is not None and name not in fields:
                renamed = rename.get(name)
                stands_for = ids["O"] if renamed not in fields else ids[f"{tag[:2]}{renamed}"]
                grouped[stands_for, index] = True
        counts = Counter(tag for example in train for tag in example.tags if tag != "O")
        usual = float(np.mean(list(counts.values()))) if counts else 1.0
        weights = torch.ones(2 * len(tags))
        for tag, count in counts.items():
            weights[len(tags) + ids[tag]] = min(max(1.0, (usual / count) ** 0.5), heaviest)
        return Objective(torch.cat([exact, grouped]), weights)

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the weighted mean loss over the words of a batch.

        Args:
            logits: Shape ``(pages, tokens, tags)``.
            targets: Shape ``(pages, tokens)``; ``IGNORED`` where no word begins.
        """
        here = targets != IGNORED
        wanted, scores = targets[here], logits[here].float().log_softmax(dim=-1)
        allowed, weights = self.allowed.to(wanted.device)[wanted], self.weights.to(wanted.device)[wanted]
        losses = -scores.masked_fill(~allowed, -torch.inf).logsumexp(dim=-1)
        return (losses * weights).sum() / weights.sum().clamp_min(1.0)


class _Lessons(PageDataset):
    """All that is seen, in one long pass: annotated pages, each time changed anew, and synthetic cards between them."""

    def __init__(
        self,
        train: Sequence[Example],
        replay: Sequence[Example],
        plan: FinetunePlan,
        model: LayoutLMv3ForTokenClassification,
        tokenizer: Tokenizer,
    ) -> None:
        rng = np.random.default_rng(plan.seed)
        passes = max(1, round(plan.passes))
        cards = min(plan.replay, 3.0) if replay else 0.0
        # Negative numbers are cards. Each pass has its own order and its own share of the cards.
        self._order: list[int] = []
        drawn = 0
        for _ in range(passes):
            count = round(cards * len(train))
            numbers = [*range(len(train)), *(-1 - (drawn + i) % len(replay) for i in range(count))]
            drawn += count
            self._order += [numbers[i] for i in rng.permutation(len(numbers))]
        self._train, self._replay, self._plan = train, replay, plan
        self._tags = model.config.num_labels
        super().__init__(self._lesson, len(self._order), model, tokenizer)

    def __getitem__(self, index: int) -> dict[str, NDArray[np.int64] | NDArray[np.float32]]:
        item = super().__getitem__(index)
        if self._order[index] >= 0:
            item["labels"] = _grouped(item["labels"], self._tags)
        return item

    def _lesson(self, index: int) -> Example:
        number = self._order[index]
        if number < 0:
            return self._replay[-1 - number]
        return augment(self._train[number], np.random.default_rng((self._plan.seed, index)), self._plan.augmentation)


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
            losses = [float(_loss(self._model, batch, self._objective)) for batch in self.batches]
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
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        remove_unused_columns=False,
    )


def _steps_within(
    plan: FinetunePlan, model: LayoutLMv3ForTokenClassification, lessons: _Lessons, objective: Objective
) -> int:
    """Return how many steps are planned: as many as the lessons last, or fit into the time."""
    steps = max(1, len(lessons) // plan.batch_size)
    if torch.cuda.is_available():
        return steps
    model.train()
    # At a rate of 0 it takes its time, and changes nothing.
    idle = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.0)
    took = []
    for step in range(min(_MEASURED_STEPS, steps)):
        places = range(step * plan.batch_size, min((step + 1) * plan.batch_size, len(lessons)))
        start = time.monotonic()
        torch.autograd.backward(_loss(model, collate([lessons[i] for i in places]), objective))
        idle.step()
        took.append(time.monotonic() - start)
        model.zero_grad(set_to_none=True)
    # The quickest is the one that nothing else held up; looking at the validation pages comes on top.
    return max(1, min(steps, int(plan.budget_seconds / (1.15 * min(took)))))


def _batches(
    examples: Sequence[Example], model: LayoutLMv3ForTokenClassification, tokenizer: Tokenizer, size: int
) -> list[dict[str, torch.Tensor]]:
    dataset = PageDataset(examples.__getitem__, len(examples), model, tokenizer)
    items = []
    for index in range(len(dataset)):
        item = dataset[index]
        item["labels"] = _grouped(item["labels"], model.config.num_labels)
        items.append(item)
    return [collate(items[start : start + size]) for start in range(0, len(items), size)]


def _grouped(labels: NDArray[Any], tags: int) -> NDArray[np.int64]:
    """Return labels as targets that stand for groups of tags (:class:`Objective`)."""
    return np.where(labels == IGNORED, IGNORED, labels + tags).astype(np.int64)


def _loss(model: Any, batch: Mapping[str, torch.Tensor], objective: Objective) -> torch.Tensor:
    device = next(model.parameters()).device
    inputs = {name: values.to(device) for name, values in batch.items()}
    targets = inputs.pop("labels")
    return objective(model(**inputs).logits, targets)


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


def _save(model: LayoutLMv3ForTokenClassification, tokenizer: Tokenizer, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_packed(model.state_dict(), folder / "model.safetensors")
