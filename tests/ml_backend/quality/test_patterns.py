"""What corrections have in common."""

from datetime import datetime, timezone

import pytest

from ml_backend.quality.patterns import Patterns, Reviewed, analyse, character_pairs
from ml_backend.quality.scripts import script_of
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.feedback import FeedbackStore
from ml_backend.store.kept_labels import KeptLabels
from ml_backend.store.options import ProjectOptions
from ml_backend.store.records import Correction
from tests.ml_backend.backend import RECTANGLES

MONDAY = datetime(2026, 11, 23, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("read", "meant", "pairs"),
    [
        ("Love1ace", "Lovelace", [("1", "l")]),
        ("Srnith", "Smith", [("rn", "m")]),
        ("0l0", "010", [("l", "1")]),
        ("Tver", "Tveer", [("", "e")]),
        ("Москва", "Москва", []),
        ("a  b", "a b", []),
        ("something else", "Ada", None),
    ],
)
def test_characters_pair_run_by_run(read, meant, pairs):
    assert character_pairs(read, meant) == pairs


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Ada", "latin"),
        ("Москва", "cyrillic"),
        ("+49 89", "digits"),
        ("—", "other"),
        ("Mосква", "mixed"),
        ("王", "cjk"),
    ],
)
def test_the_script_is_that_of_the_letters(text, script):
    assert script_of(text) == script


def corrected(*corrections, version="v1", at=MONDAY):
    return Reviewed(version, at, tuple(corrections))


def test_corrections_are_counted_by_kind_field_version_and_week():
    text = Correction("text", "a", "NAME", "NAME", "Ad4", "Ada")
    field = Correction("field", "b", "COMPANY", "NAME", "Ada", "Ada")
    added, deleted = Correction("added", "c", None, "EMAIL"), Correction("deleted", "d", "FAX", None)
    later = MONDAY.replace(day=30)
    report = analyse([corrected(text, field), corrected(text, added, deleted, version="v2", at=later), corrected()])
    assert report.documents == 3
    assert report.kinds == {"text": 2, "field": 1, "added": 1, "deleted": 1}
    assert [(m.read, m.meant, m.field, m.count) for m in report.misreadings] == [("4", "a", "NAME", 2)]
    assert [(c.named, c.meant) for c in report.confusions] == [("COMPANY", "NAME")]
    assert [(f.field, f.count) for f in report.added] == [("EMAIL", 1)]
    assert [(f.field, f.count) for f in report.deleted] == [("FAX", 1)]
    assert [(p.name, p.documents, p.cost) for p in report.by_version] == [("v1", 2, 1.0), ("v2", 1, 3.0)]
    assert [p.name for p in report.by_week] == ["2026-11-23", "2026-11-30"]


def test_one_fields_corrections_alone():
    text = Correction("text", "a", "NAME", "NAME", "Ad4", "Ada")
    other = Correction("text", "b", "EMAIL", "EMAIL", "a©b.de", "a@b.de")
    report = analyse([corrected(text, other)], field="EMAIL")
    assert [(m.read, m.meant) for m in report.misreadings] == [("©", "@")]
    assert report.kinds == {"text": 1}


def test_texts_typed_anew_are_no_misreadings():
    report = analyse([corrected(Correction("text", "a", None, None, "something else", "Ada"))])
    assert report.misreadings == ()
    assert report.misread_texts == 0.0


def test_fields_that_applications_name_are_shown_by_the_projects_names(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    feedback = FeedbackStore(store.engine)
    corrections = [Correction("field", "a", "PHONE", "Name"), Correction("added", "b", None, "vat_id")]
    feedback.add(3, "c-1", [], [], corrections)
    xml = RECTANGLES.replace('value="EMAIL"', 'value="TEL"').replace(
        'value="NAME"', 'value="Wer" predicted_values="name"'
    )
    ProjectOptions(store.engine).remember_label_config(3, xml)
    patterns = Patterns(LearningStore(store.engine), feedback, KeptLabels(store.engine))

    report = patterns.analyse(3)
    assert [(each.named, each.meant, each.count) for each in report.confusions] == [("TEL", "Wer", 1)]
    assert [each.field for each in report.added] == ["vat_id"]
    # Asked for by either name.
    for name in ("TEL", "phone", "PHONE"):
        assert patterns.analyse(3, field=name).kinds == {"field": 1}
    feedback.add(3, "c-2", [], [], [Correction("deleted", "c"), Correction("deleted", "d", "EMAIL")])
    assert patterns.analyse(3).kinds["deleted"] == 1, "a line without a field is not wanted, and was not said to be"
    # Nothing is known of another project's labels.
    feedback.add(4, "c-1", [], [], corrections)
    assert [(each.named, each.meant) for each in patterns.analyse(4).confusions] == [("PHONE", "NAME")]
    store.close()
