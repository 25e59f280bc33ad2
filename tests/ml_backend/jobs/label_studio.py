"""Label Studio in memory, for the job: tasks, one project, predictions."""

from dataclasses import replace

from ml_backend.errors import NotFoundError
from ml_backend.label_studio.records import Project, Task
from tests.ml_backend.backend import RECTANGLES


class MemoryLabelStudio:
    def __init__(self, *tasks: Task, label_config: str = RECTANGLES) -> None:
        self.stored = {task.id: task for task in tasks}
        self.label_config = label_config
        self.error = None
        self.before_push = lambda: None

    def task(self, task_id):
        if self.error:
            raise self.error
        if task_id not in self.stored:
            raise NotFoundError(f"There is no task {task_id}.")
        return self.stored[task_id]

    def project(self, project_id):
        return Project(project_id, "cards", self.label_config, "", "", len(self.stored))

    def predictions(self, *, project_id=None, task_id=None):
        self.before_push()
        return list(self.task(task_id).predictions)

    def create_predictions(self, predictions):
        for prediction in predictions:
            task = self.task(prediction.task)
            self.stored[task.id] = replace(task, predictions=(*task.predictions, prediction))
        return [1]
