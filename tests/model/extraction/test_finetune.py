import numpy as np
import pytest
import torch

from model.document.types import Box, Line, Page, Word
from model.errors import WeightsError
from model.extraction.augment import Augmentation
from model.extraction.checkpoint import load_checkpoint
from model.extraction.extractor import Extractor
from model.extraction.finetune import FinetunePlan, fine_tune
from model.extraction.objective import Objective
from model.extraction.training import IGNORED, Example, PageDataset, Plan, train
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model
from tests.model.extraction.test_training import example

PLAN = FinetunePlan(
    budget_seconds=60,
    passes=40,
    learning_rate=3e-3,
    head_rate=5e-3,
    augmentation=Augmentation(digits=0.0, drop_word=0.0),
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A checkpoint that tells names from addresses."""
    folder = tmp_path_factory.mktemp("base")
    model, tokenizer = tiny_model(spread=0.05)
    dataset = PageDataset(example, 400, model, tokenizer)
    train(model, dataset, Plan(passes=5, learning_rate=5e-3, batch_size=16), folder=folder / "trainer")
    return save_checkpoint(folder / "base", model, tokenizer)


def invoice(number):
    """One line with a total, of digits, and a word for it; names and addresses do not occur."""
    pairs = [("sum", "O"), (f"{number % 90 + 10},{number % 7}0", "B-Total"), ("eur", "O")]
    pairs = pairs[number % 2 :] + pairs[: number % 2]
    words = tuple(Word(text, Box(10 + 50 * i, 10, 50 + 50 * i, 20), 1.0) for i, (text, _) in enumerate(pairs))
    line = Line(" ".join(word.text for word in words), Box(10, 10, 150, 20).polygon(), 1.0, words)
    return Example(Page(200, 40, (line,)), tuple(tag for _, tag in pairs))


def right(folder, examples, fields=("NAME", "EMAIL")):
    extractor = Extractor.load(folder)
    hits = 0
    for each in examples:
        entities = extractor.extract(each.page).entities
        found = {(entity.field, entity.start) for entity in entities if entity.field in fields}
        hits += found == {(tag[2:], i) for i, tag in enumerate(each.tags) if tag != "O"}
    return hits / len(examples)


def learn(base, folder, *, fields=("Total",), replay=(), rename=None, plan=PLAN, on_progress=lambda _: None, made=30):
    lessons = [invoice(number) for number in range(made)]
    return fine_tune(
        base,
        lessons[:-6] if made > 6 else lessons,
        lessons[-6:] if made > 6 else (),
        replay,
        fields=fields,
        rename=rename or {},
        plan=plan,
        folder=folder,
        on_progress=on_progress,
    )


@pytest.fixture(scope="module")
def learned(base, tmp_path_factory):
    progress = []
    replay = [example(number) for number in range(60)]
    folder = tmp_path_factory.mktemp("learned") / "version"
    return learn(base, folder, replay=replay, on_progress=progress.append), progress


def test_a_new_field_is_learned_and_the_old_ones_are_not_forgotten(learned, base):
    result, _ = learned
    unseen_cards = [example(number) for number in range(400, 440)]
    assert right(base, unseen_cards) > 0.9
    assert right(result.folder, [invoice(number) for number in range(100, 140)], ("Total",)) > 0.9
    assert right(result.folder, unseen_cards) > 0.9


def test_each_step_is_reported_and_the_validation_pages_are_looked_at(learned):
    result, progress = learned
    assert tuple(progress) == result.curve
    assert [each.step for each in progress] == list(range(1, len(progress) + 1))
    assert progress[-1].step == progress[-1].steps
    assert progress[-1].eta_seconds == 0
    measured = {each.step: each.valid_loss for each in progress if each.valid_loss is not None}
    assert len(measured) >= PLAN.evaluations
    assert result.best_step == min(measured, key=measured.__getitem__)


def test_the_temperature_is_stored_where_the_extractor_reads_it(learned):
    result, _ = learned
    config = load_checkpoint(result.folder)[0].config
    assert config.calibration_temperature == result.temperature
    assert 0.25 <= result.temperature <= 5


def test_training_ends_where_the_validation_pages_are_named_no_better(base, tmp_path):
    plan = FinetunePlan(passes=400, learning_rate=3e-2, head_rate=5e-2, evaluations=100, patience=2)
    result = learn(base, tmp_path / "version", plan=plan)
    measured = [each.valid_loss for each in result.curve if each.valid_loss is not None]
    assert len(measured) < 100
    assert result.best_step < result.curve[-1].step
    assert min(measured[-2:]) >= min(measured)
    assert result.curve[-1].eta_seconds == 0


def test_weights_may_be_taken_from_between_the_start_and_the_end(base, tmp_path):
    def moved(distance):
        plan = FinetunePlan(passes=3, learning_rate=1e-2, distances=(distance,))
        result = learn(base, tmp_path / str(distance), made=5, plan=plan)
        assert result.distance == distance
        start, end = (load_checkpoint(folder)[0].state_dict() for folder in (base, result.folder))
        name = "layoutlmv3.encoder.layer.1.output.dense.weight"
        return float((end[name] - start[name]).norm())

    # Weights are stored with half the digits.
    assert moved(0.0) < 0.05 * moved(1.0)


def test_few_validation_pages_move_the_temperature_little(base, tmp_path):
    many, few = (
        abs(np.log(learn(base, tmp_path / str(made), made=made, plan=FinetunePlan(passes=2)).temperature))
        for made in (30, 5)
    )
    assert few == 0.0
    assert many < np.log(2)


def test_the_time_is_kept(base, tmp_path):
    short = FinetunePlan(budget_seconds=1.0, passes=10_000, learning_rate=1e-3)
    result = learn(base, tmp_path / "version", plan=short)
    assert 1 <= len(result.curve) < 1_000


def test_what_the_listener_raises_ends_the_training_without_a_checkpoint(base, tmp_path):
    class StopError(Exception):
        pass

    def stop(_):
        raise StopError

    with pytest.raises(StopError):
        learn(base, tmp_path / "version", on_progress=stop)
    assert not (tmp_path / "version" / "model.safetensors").exists()


def test_without_pages_to_validate_on_the_last_weights_are_kept(base, tmp_path):
    plan = FinetunePlan(passes=3)
    result = learn(base, tmp_path / "version", made=5, plan=plan)
    assert result.best_step == result.curve[-1].step
    assert result.temperature == 1.0


def test_pages_without_words_teach_nothing(base, tmp_path):
    with pytest.raises(ValueError, match="no annotated page"):
        fine_tune(
            base,
            [Example(Page(10, 10, ()), ())],
            (),
            (),
            fields=("NAME",),
            rename={},
            plan=PLAN,
            folder=tmp_path,
            on_progress=lambda _: None,
        )


def test_a_checkpoint_that_looks_at_images_is_refused(tmp_path):
    folder = save_checkpoint(tmp_path / "looking", *tiny_model(image_size=32))
    with pytest.raises(WeightsError, match="image"):
        learn(folder, tmp_path / "version")


def objective(fields, rename, heaviest=3.0):
    model, _ = tiny_model(("NAME", "PHONE", "FAX"))
    return Objective.of(model, fields, rename, [Example(example(0).page, ("B-NAME", "B-NAME", "B-PHONE"))], heaviest)


def test_a_word_outside_may_belong_to_a_field_that_the_project_lacks():
    tags = 7
    logits = torch.zeros(1, 1, tags)
    logits[..., 3] = 9.0  # B-PHONE
    outside = torch.tensor([[tags]])
    lacking, having = objective(("NAME",), {}), objective(("NAME", "PHONE", "FAX"), {})
    assert lacking(logits, outside) < 0.01
    assert having(logits, outside) > 5


def test_a_renamed_field_is_as_right_as_the_one_whose_name_it_goes_by():
    tags = 7
    logits = torch.zeros(1, 1, tags)
    logits[..., 5] = 9.0  # B-FAX
    phone, outside = torch.tensor([[tags + 3]]), torch.tensor([[tags]])
    merged = objective(("NAME", "PHONE"), {"FAX": "PHONE"})
    assert merged(logits, phone) < 0.01
    assert merged(logits, outside) > 5
    assert objective(("NAME", "PHONE"), {})(logits, outside) < 0.01


def test_cards_that_are_replayed_must_be_tagged_exactly():
    logits = torch.zeros(1, 1, 7)
    logits[..., 3] = 9.0
    assert objective(("NAME",), {})(logits, torch.tensor([[0]])) > 5


def test_rare_tags_weigh_more_and_none_more_than_allowed():
    weights = objective(("NAME", "PHONE", "FAX"), {}).weights
    assert weights[7 + 3] == pytest.approx((1.5 / 1) ** 0.5)
    assert weights[7 + 1] == 1.0
    assert objective(("NAME", "PHONE", "FAX"), {}, heaviest=1.1).weights.max() == pytest.approx(1.1)


def test_tokens_that_begin_no_word_carry_no_loss():
    logits = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 3, 7))).float()
    loss = objective(("NAME",), {})
    assert torch.isclose(loss(logits, torch.tensor([[IGNORED, 1, IGNORED]])), loss(logits[:, 1:2], torch.tensor([[1]])))
