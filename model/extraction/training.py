"""Train a token classifier on pages whose words are tagged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.utils.data import Dataset
from transformers import LayoutLMv3ForTokenClassification, Trainer, TrainerCallback, TrainingArguments

from model.document.types import Page
from model.extraction.extractor import build_encoder
from model.extraction.inputs import NO_WORD, Window, pixel_values

IGNORED = -100

# Parts of the names of what a BERT does not have.
_FRESH = ("classifier", "token_type", "rel_pos", "x_position", "y_position", "h_position", "w_position")


@dataclass(frozen=True, slots=True)
class Example:
    """A page as the engine read it, segmented, with a BIO tag a word.

    Attributes:
        page: The words.
        tags: One for each of ``page.words``.
        image: The upright page, shape ``(height, width, 3)``; needed only by models that look at it.
    """

    page: Page
    tags: tuple[str, ...]
    image: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        passes: Times that each example is seen.
        batch_size: Pages a step.
        learning_rate: Highest rate of AdamW, reached after ``warmup`` of the steps, then falling to 0 linearly.
        fresh_learning_rate: The same for what no language model brings along: layout, word shapes and classifier; None
            for ``learning_rate``.
        frozen_tokens: Tokens whose embeddings stay as they are. What a language model knows of the words that training
            never shows is kept only if those that it shows stay in their places.
        masked: Share of the tokens that are hidden, in ``[0, 1)``, so that the words around them must do.
        warmup: Share of the steps, in ``[0, 1)``.
        weight_decay: Of AdamW.
        seed: Of order and dropout.
        loaders: Processes that make examples; 0 makes them in this one.
    """

    passes: float = 1.0
    batch_size: int = 16
    learning_rate: float = 2e-4
    fresh_learning_rate: float | None = None
    frozen_tokens: frozenset[int] = frozenset()
    masked: float = 0.0
    warmup: float = 0.06
    weight_decay: float = 0.01
    seed: int = 0
    loaders: int = 0


class PageDataset(Dataset[dict[str, NDArray[np.int64] | NDArray[np.float32]]]):
    """Examples by number, encoded when asked for.

    Args:
        make: Gives the example of a number in ``[0, size)``; the same each time.
        size: How many there are.
        model: The model to encode for.
        tokenizer: Its tokenizer.
        masked: Share of the tokens that are hidden, in ``[0, 1)``; others each time.
        seed: Of what is hidden.

    Raises:
        ValueError: If tokens are to be hidden and the tokenizer has no ``[MASK]``.
    """

    def __init__(
        self,
        make: Callable[[int], Example],
        size: int,
        model: LayoutLMv3ForTokenClassification,
        tokenizer: Tokenizer,
        *,
        masked: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._make, self._size = make, size
        mask = tokenizer.token_to_id("[MASK]")
        if masked and mask is None:
            raise ValueError("this tokenizer has no [MASK] to hide tokens behind")
        self._mask, self._masked = int(mask or 0), masked
        self._rng = np.random.default_rng(seed)
        self._encoder = build_encoder(model.config, tokenizer)
        self._ids = dict(model.config.label2id)
        self._image_size = int(model.config.input_size) if model.config.visual_embed else 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> dict[str, NDArray[np.int64] | NDArray[np.float32]]:
        """Return one window of the example, chosen by its number where a long page has several.

        Raises:
            IndexError: If there is no such example.
            ValueError: If the page has no words, or the model looks at images and the example has none.
        """
        if not 0 <= index < self._size:
            raise IndexError(index)
        example = self._make(index)
        windows = self._encoder.encode(example.page)
        if not windows:
            raise ValueError(f"example {index} has no words; leave empty pages out")
        return self._item(index, example, windows[index % len(windows)])

    def windows(self, index: int) -> list[dict[str, NDArray[np.int64] | NDArray[np.float32]]]:
        """Return all windows of an example; none for a page without words."""
        example = self._make(index)
        return [self._item(index, example, window) for window in self._encoder.encode(example.page)]

    def _item(self, index: int, example: Example, window: Window) -> dict[str, NDArray[np.int64] | NDArray[np.float32]]:
        targets = np.array([self._ids[tag] for tag in example.tags], dtype=np.int64)
        labels = np.where(window.words == NO_WORD, IGNORED, targets[window.words])
        features: dict[str, NDArray[np.int64] | NDArray[np.float32]] = {
            "input_ids": self._hide(window),
            "bbox": window.boxes,
            "token_type_ids": window.token_types,
            "labels": labels,
        }
        if self._image_size:
            if example.image is None:
                raise ValueError(f"example {index} has no image, and the model looks at it")
            features["pixel_values"] = pixel_values(example.image, self._image_size)
        return features

    def _hide(self, window: Window) -> NDArray[np.int64]:
        if not self._masked:
            return window.input_ids
        hidden = self._rng.random(len(window.input_ids)) < self._masked
        hidden[[0, -1]] = False
        return np.where(hidden, self._mask, window.input_ids)


def collate(batch: Sequence[Mapping[str, NDArray[np.int64] | NDArray[np.float32]]]) -> dict[str, torch.Tensor]:
    """Pad the pages of a batch to the longest and stack them; padding carries no loss and gets no attention."""
    longest = max(len(item["input_ids"]) for item in batch)
    stacked: dict[str, torch.Tensor] = {}
    for name in batch[0]:
        if name == "pixel_values":
            stacked[name] = torch.from_numpy(np.stack([item[name] for item in batch]))
            continue
        rows = []
        for item in batch:
            missing = longest - len(item[name])
            widths = ((0, missing), *((0, 0) for _ in item[name].shape[1:]))
            rows.append(np.pad(item[name], widths, constant_values=IGNORED if name == "labels" else 0))
        stacked[name] = torch.from_numpy(np.stack(rows))
    lengths = torch.tensor([len(item["input_ids"]) for item in batch])
    stacked["attention_mask"] = (torch.arange(longest)[None] < lengths[:, None]).long()
    return stacked


def build_optimizer(model: LayoutLMv3ForTokenClassification, plan: Plan) -> torch.optim.AdamW:
    """Return AdamW over the model's parameters, with the plan's rates; frozen tokens get no gradient."""
    words = model.get_input_embeddings().weight
    if plan.frozen_tokens:
        moving = torch.ones(len(words), 1)
        moving[sorted(plan.frozen_tokens)] = 0.0
        words.register_hook(lambda gradient: gradient * moving.to(gradient.device))
    parameters = [(name, parameter) for name, parameter in model.named_parameters() if parameter is not words]
    fresh = [parameter for name, parameter in parameters if any(part in name for part in _FRESH)]
    known = [parameter for name, parameter in parameters if not any(part in name for part in _FRESH)]
    fresh_rate = plan.learning_rate if plan.fresh_learning_rate is None else plan.fresh_learning_rate
    return torch.optim.AdamW(
        [
            {"params": known, "lr": plan.learning_rate},
            {"params": fresh, "lr": fresh_rate},
            # Decay would move the frozen ones as well.
            {"params": [words], "lr": plan.learning_rate, "weight_decay": 0.0},
        ],
        weight_decay=plan.weight_decay,
    )


def train(
    model: LayoutLMv3ForTokenClassification,
    dataset: PageDataset,
    plan: Plan,
    *,
    folder: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> float:
    """Train ``model`` in place and return the mean loss of the run.

    Args:
        model: What to train.
        dataset: Encoded for it.
        plan: How long and how fast.
        folder: Where the trainer may write.
        callbacks: Told of the progress.
    """
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=plan.passes,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        warmup_steps=plan.warmup,
        weight_decay=plan.weight_decay,
        lr_scheduler_type="linear",
        # Pages of about one length go together: padding would cost half of the time.
        train_sampling_strategy="group_by_length",
        logging_steps=25,
        save_strategy="no",
        report_to=[],
        seed=plan.seed,
        dataloader_num_workers=plan.loaders,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        data_collator=collate,
        callbacks=list(callbacks),
        optimizers=(build_optimizer(model, plan), None),
    )
    result = trainer.train()
    model.eval()
    return float(result.training_loss)
