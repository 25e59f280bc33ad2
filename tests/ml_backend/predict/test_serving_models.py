"""Who answers for a project, under which name."""

from dataclasses import dataclass

import pytest

from ml_backend.predict.serving_models import SHIPPED, ServingModels, is_ours, number_made, number_of


@dataclass(frozen=True)
class Named:
    version: str


CHAMPION, CHALLENGER = Named("p3-v7-1a2b3c4d.e6e6e6"), Named("p3-v8-5e6f7a8b.e6e6e6")
SHIPPED_MODEL = Named("cards-0a0b0c0d.e6e6e6")


def test_a_champion_alone_answers_under_its_own_name():
    serving = ServingModels(3, CHAMPION)
    assert serving.version == CHAMPION.version
    assert serving.versions == (CHAMPION.version,)
    assert serving.of_task(1) == ((CHAMPION, CHAMPION.version),)


def test_a_challenger_gets_its_share_of_the_tasks_and_always_the_same_ones():
    serving = ServingModels(3, CHAMPION, CHALLENGER, share=0.25)
    made = {task: serving.of_task(task)[0][0] for task in range(4000)}
    assert 0.22 < sum(model is CHALLENGER for model in made.values()) / 4000 < 0.28
    assert all(serving.of_task(task)[0][0] is model for task, model in made.items())
    more = ServingModels(3, CHAMPION, CHALLENGER, share=0.5)
    assert all(more.of_task(task)[0][0] is CHALLENGER for task, model in made.items() if model is CHALLENGER)


@pytest.mark.parametrize("champion", [CHAMPION, SHIPPED_MODEL])
def test_both_answer_under_one_name_from_which_the_maker_can_be_told(champion):
    serving = ServingModels(3, champion, CHALLENGER, share=0.5)
    for task in range(200):
        ((model, version),) = serving.of_task(task)
        assert version == serving.version
        assert number_made(version, task) == (number_of(model.version) or SHIPPED)


def test_the_shared_name_changes_with_the_share_and_contains_neither_of_the_others():
    names = {ServingModels(3, CHAMPION, CHALLENGER, share=share).version for share in (0.0, 0.1, 0.5, 1.0)}
    assert len(names) == 4
    assert CHAMPION.version in names
    for one in names | {CHALLENGER.version}:
        assert is_ours(one)
        assert not any(one in other for other in names | {CHALLENGER.version} if other != one)


def test_where_both_predict_each_task_each_prediction_has_its_own_version():
    serving = ServingModels(3, CHAMPION, CHALLENGER, both=True)
    assert [version for _, version in serving.of_task(5)] == [CHAMPION.version, CHALLENGER.version]
    assert serving.version == CHAMPION.version
    assert serving.versions == (CHAMPION.version, CHALLENGER.version)


@pytest.mark.parametrize(
    ("version", "number"), [(CHAMPION.version, 7), (SHIPPED_MODEL.version, SHIPPED), ("gpt-oracle", None), ("", None)]
)
def test_the_maker_of_other_versions(version, number):
    assert number_made(version, 1) == number
    assert is_ours(version) == (number is not None)
