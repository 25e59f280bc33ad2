"""The background job pushes what is missing, once."""

import pytest
from prometheus_client import CollectorRegistry

from ml_backend.container import TaskServices
from ml_backend.errors import ImageFetchError, ImageRefusedError, LabelStudioUnreachableError
from ml_backend.label_studio.records import Prediction, Task
from ml_backend.observability.metrics import Metrics
from ml_backend.order.scoring import ScoringServices, score
from ml_backend.predict.serving_models import SoleModel
from ml_backend.predict.task_predictor import TaskPredictor
from ml_backend.tasks import WorkerNotReadyError, provide, score_task
from model.errors import EngineError
from tests.ml_backend.backend import ImageTable
from tests.ml_backend.jobs.label_studio import MemoryLabelStudio
from tests.ml_backend.predict.test_service import TextReader


def task_at(url, number=8, **more):
    return Task(number, 2, {"image": url}, False, **more)


def services_of(label_studio, **images):
    predictor = TaskPredictor(ImageTable(**images), Metrics(CollectorRegistry()))
    return ScoringServices(label_studio, SoleModel(TextReader()), predictor)


def test_a_prediction_is_pushed_with_score_and_version():
    label_studio = MemoryLabelStudio(task_at("a"))
    assert score(services_of(label_studio, a=b"Ada"), 2, 8) == "pushed"
    (prediction,) = label_studio.task(8).predictions
    assert (prediction.task, prediction.model_version, prediction.score) == (8, "text.1", 0.5)
    assert prediction.result[-1]["value"]["text"] == ["Ada"]


def test_doing_it_again_pushes_nothing():
    label_studio = MemoryLabelStudio(task_at("a"))
    services = services_of(label_studio, a=b"Ada")
    assert [score(services, 2, 8) for _ in range(3)] == ["pushed", "present", "present"]
    assert len(label_studio.task(8).predictions) == 1


def test_predictions_of_other_versions_do_not_count():
    old = Prediction(task=8, model_version="text.0", result=())
    label_studio = MemoryLabelStudio(task_at("a", predictions=(old,)))
    assert score(services_of(label_studio, a=b"Ada"), 2, 8) == "pushed"
    assert len(label_studio.task(8).predictions) == 2


def test_a_prediction_that_came_meanwhile_is_not_doubled():
    label_studio = MemoryLabelStudio(task_at("a"))
    meanwhile = Prediction(task=8, model_version="text.1", result=())
    label_studio.before_push = lambda: label_studio.create_predictions([meanwhile])
    assert score(services_of(label_studio, a=b"Ada"), 2, 8) == "present"
    assert label_studio.task(8).predictions == (meanwhile,)


def test_a_task_that_was_deleted_is_no_failure():
    assert score(services_of(MemoryLabelStudio()), 2, 8) == "gone"


@pytest.mark.parametrize("content", [b"image", ImageRefusedError("Images are not read from there.")])
def test_what_only_a_person_can_mend_is_not_tried_again(content):
    label_studio = MemoryLabelStudio(task_at("a"))
    assert score(services_of(label_studio, a=content), 2, 8) == "hopeless"
    assert label_studio.task(8).predictions == ()


def test_a_task_without_an_image_is_hopeless():
    label_studio = MemoryLabelStudio(Task(8, 2, {"text": "no image"}, False))
    assert score(services_of(label_studio), 2, 8) == "hopeless"


def test_a_project_without_a_usable_configuration_is_hopeless():
    assert score(services_of(MemoryLabelStudio(task_at("a"), label_config="<View/>"), a=b"Ada"), 2, 8) == "hopeless"


@pytest.mark.parametrize("content", [b"engine", ImageFetchError("The host does not answer.")])
def test_what_may_pass_is_raised_for_another_try(content):
    with pytest.raises((EngineError, ImageFetchError)):
        score(services_of(MemoryLabelStudio(task_at("a")), a=content), 2, 8)


def test_a_label_studio_that_is_down_is_raised_for_another_try():
    label_studio = MemoryLabelStudio(task_at("a"))
    label_studio.error = LabelStudioUnreachableError("Label Studio does not answer.")
    with pytest.raises(LabelStudioUnreachableError):
        score(services_of(label_studio, a=b"Ada"), 2, 8)


def test_a_worker_without_models_says_how_to_start_it():
    with pytest.raises(WorkerNotReadyError, match=r"ml_backend\.cli\.worker"):
        score_task(2, 8)


def test_what_the_worker_provides_is_what_the_job_works_with():
    label_studio = MemoryLabelStudio(task_at("a"))
    provide(TaskServices(services_of(label_studio, a=b"Ada")))
    try:
        assert score_task(2, 8) == "pushed"
    finally:
        provide(TaskServices())
