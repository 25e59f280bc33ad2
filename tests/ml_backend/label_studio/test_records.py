"""What is read of Label Studio's answers and events."""

import pytest

from ml_backend.label_studio.records import prediction_of


@pytest.mark.parametrize(
    ("created", "updated", "changed"),
    [
        ("2026-01-01T10:00:00.100000Z", "2026-01-01T10:00:00.900000Z", False),
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:05.000001Z", True),
        ("2026-01-01T10:00:00Z", "2026-01-01T13:00:05+03:00", True),
        (None, "2026-01-01T10:00:05Z", False),
        ("yesterday", 5, False),
        ("2026-01-01T10:00:00", "2026-01-01T10:00:05Z", False),
        ([], {}, False),
    ],
)
def test_a_prediction_is_changed_where_its_times_say_so_and_no_odd_time_is_an_error(created, updated, changed):
    raw = {"id": 1, "task": 2, "created_at": created, "updated_at": updated}
    assert prediction_of(raw).is_changed is changed
