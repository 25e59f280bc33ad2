"""Going through open tasks, however many pages they take."""

import json

import pytest

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio import open_tasks
from ml_backend.label_studio.open_tasks import IDS_PAGE, NUMBERS, open_ids, version_counts
from ml_backend.label_studio.session import Session


class Pages(Session):
    """A session whose Label Studio has tasks 1 to ``count``, and understands the filters that are asked for."""

    def __init__(self, count):
        self.count, self.asked = count, 0

    def request(self, method, path, *, params):
        self.asked += 1
        conditions = {item["filter"].split(":")[-1]: item for item in json.loads(params["query"])["filters"]["items"]}
        wanted = conditions["id"]
        numbers = [n for n in range(1, self.count + 1) if self._fits(n, wanted["operator"], wanted["value"])]
        assert conditions["total_annotations"]["value"] == 0
        return {"tasks": [{"id": n, "data": {"image": f"i{n}"}} for n in numbers[: params["page_size"]]]}

    @staticmethod
    def _fits(number, operator, value):
        return number > value if operator == "greater" else number in value


@pytest.mark.parametrize("count", [0, 1, IDS_PAGE - 1, IDS_PAGE, 2 * IDS_PAGE + 3])
def test_every_number_is_given_once_in_order(count):
    assert list(open_ids(Pages(count), 3)) == list(range(1, count + 1))


def test_the_data_of_many_tasks_is_asked_for_in_parts_that_fit_into_an_address():
    session = Pages(1000)
    wanted = list(range(1, 2 * NUMBERS + 2))
    found = list(open_tasks.open_tasks(session, 3, wanted))
    assert [task.id for task in found] == wanted
    assert (found[0].project, found[0].data) == (3, {"image": "i1"})
    assert session.asked == 3


class Odd(Pages):
    """A session whose Label Studio answers with something else."""

    def request(self, *_, **__):
        return ["odd"]


def test_an_answer_that_is_no_list_of_tasks_is_said():
    with pytest.raises(LabelStudioError, match="open tasks"):
        list(open_ids(Odd(0), 3))
    with pytest.raises(LabelStudioError, match="predictions"):
        version_counts(Odd(0), 3)
