"""A project's fields are named by their names, and better with each document."""

from __future__ import annotations

import numpy as np
import pytest

from model.document.bio import OUTSIDE
from model.document.types import Page
from model.errors import WeightsError
from model.extraction.committee import Committee
from model.extraction.doubts import no_doubts
from model.extraction.extraction import Extraction
from model.extraction.field_concepts import concept_of
from model.extraction.project_head import IGNORED, ProjectFields, fit, zero
from model.extraction.project_naming import Learned, NamedByProject, ProjectNaming, learn, served
from tests.model.extraction.pages import SHOPS, line, page, receipt, receipts, truth

TAGS = (OUTSIDE, "B-COMPANY", "I-COMPANY", "B-PHONE", "I-PHONE")
OWN = ("DATE", "TIME", "TOTAL", "SUBTOTAL", "TAX")
FIELDS = ProjectFields(("COMPANY", *OWN), {name: concept_of([name]) for name in OWN}, {})


class Network:
    """Says of every word that it is probably nothing."""

    tags, committee = TAGS, Committee({})

    def extract(self, page: Page) -> Extraction:
        probabilities = np.full((len(page.words), len(TAGS)), 0.02)
        probabilities[:, 0] = 0.92
        return Extraction((), probabilities, 0.5, np.zeros(4, dtype=np.float32), no_doubts())


def named(naming: ProjectNaming | None, made: Page) -> dict[str, str]:
    network = Network()
    namer = network if naming is None else NamedByProject(network, naming)
    return {entity.field: entity.text for entity in namer.extract(made).entities}


def learned(count: int, tags=truth) -> tuple[Learned, ProjectNaming]:
    network = Network()
    documents = [
        [(FIELDS.view(each, network.extract(each).probabilities, TAGS), tags(each))] for each in receipts(count)
    ]
    found = learn(FIELDS, documents, network.committee)
    return found, ProjectNaming(FIELDS, found.head if found.helps else None, found.committee)


def test_fields_are_named_by_their_names_before_anything_was_annotated():
    made = receipt("Blue Harbour Cafe", "3 Elm Street", "07/05/2024", "10:44", "8.25", "0.75")
    assert named(ProjectNaming(FIELDS), made) == {
        "DATE": "07/05/2024", "TIME": "10:44", "SUBTOTAL": "7.50", "TAX": "0.75", "TOTAL": "8.25",
    }  # fmt: skip


def test_a_key_above_its_value_counts_and_one_of_another_field_does_not():
    made = page(
        line(100, 40, "Invoice number"),
        line(125, 40, "INV-24-17"),
        line(200, 40, "Order number"),
        line(225, 40, "A-55-81"),
    )
    fields = ProjectFields(("INVOICE_NUMBER",), {"INVOICE_NUMBER": concept_of(["INVOICE_NUMBER"])}, {})
    assert named(ProjectNaming(fields), made) == {"INVOICE_NUMBER": "INV-24-17"}


def test_confidence_says_how_little_a_name_tells():
    extraction = NamedByProject(Network(), ProjectNaming(FIELDS)).extract(receipts(1)[0])
    assert all(0.4 < entity.score < 0.9 for entity in extraction.entities)
    assert extraction.probabilities.sum(axis=1) == pytest.approx(1.0)


def test_a_date_is_never_a_telephone_number():
    fields = ProjectFields(("PHONE",), {}, {})
    probabilities = np.array([[0.05, 0.9, 0.05, 0.0, 0.0]] * 3)[:, [0, 3, 4, 1, 2]]
    made = page(line(10, 10, "07/05/2024 10:44 555-431-0004"))
    view = fields.view(made, probabilities, TAGS)
    chances = zero(fields.fields).probabilities(view)[:, 1]
    assert chances[0] < 0.05
    assert chances[1] < 0.05
    assert chances[2] > 0.9


def test_a_few_receipts_teach_what_names_do_not_tell():
    found, naming = learned(5)
    assert found.helps
    assert found.checked is not None
    assert found.checked.after > found.checked.before
    made = receipts(1, first=40)[0]
    assert named(naming, made)["COMPANY"] == made.lines[0].text
    assert named(naming, made)["TOTAL"] == made.lines[13].text


def test_one_receipt_speaks_of_receipts_worded_like_it_alone():
    found, naming = learned(1)
    assert found.checked is None
    assert found.helps
    assert named(naming, receipts(1, first=6)[0])["COMPANY"] == SHOPS[0]
    other = page(line(20, 100, "Rental agreement"), line(60, 100, "between the parties"), line(90, 100, "Total 12.00"))
    assert named(naming, other) == named(ProjectNaming(FIELDS), other)


def test_receipts_too_few_to_show_that_they_help_speak_of_receipts_worded_like_them():
    found, naming = learned(3)
    assert found.checked is None
    assert named(naming, receipts(1, first=6)[0])["COMPANY"] == SHOPS[0]
    other = page(line(20, 100, "Rental agreement"), line(60, 100, "between the parties"), line(90, 100, "Total 12.00"))
    assert named(naming, other) == named(ProjectNaming(FIELDS), other)


def test_a_network_that_knows_all_fields_is_only_overruled_by_many_documents():
    fields = ProjectFields(("COMPANY",), {}, {})
    network = Network()
    tags = [[tag if tag.endswith("COMPANY") else OUTSIDE for tag in truth(each)] for each in receipts(12)]
    documents = [
        [(fields.view(each, network.extract(each).probabilities, TAGS), said)]
        for each, said in zip(receipts(12), tags, strict=True)
    ]
    assert learn(fields, documents[:9], network.committee).checked is None
    assert learn(fields, documents, network.committee).helps


def test_a_part_of_a_telephone_number_that_looks_like_an_amount_may_be_one():
    fields = ProjectFields(("PHONE",), {}, {})
    made = page(line(10, 10, "+44 20 7946 0018"))
    probabilities = np.array([[0.05, 0.0, 0.0, 0.9, 0.05]] * len(made.words))
    view = fields.view(made, probabilities, TAGS)
    assert zero(fields.fields).probabilities(view)[:, 1].min() > 0.8


def test_two_values_in_a_line_stay_two_where_the_network_says_so():
    fields = ProjectFields(("PHONE",), {}, {})
    made = page(line(10, 10, "555-431-0004 555-431-0005"))
    probabilities = np.array([[0.05, 0.0, 0.0, 0.9, 0.05]] * 2)
    network = Network()
    opinion = Extraction((), probabilities, 0.5, np.zeros(4, dtype=np.float32), no_doubts())
    found = ProjectNaming(fields).apply(made, opinion, TAGS, network.committee)
    assert [entity.text for entity in found.entities] == ["555-431-0004", "555-431-0005"]


def test_labels_by_chance_are_not_used():
    rng = np.random.default_rng(5)

    def shuffled(made: Page) -> list[str]:
        return list(rng.permutation(truth(made)))

    found, naming = learned(12, shuffled)
    assert not found.helps
    assert named(naming, receipts(1)[0]) == named(ProjectNaming(FIELDS), receipts(1)[0])


def test_the_same_documents_give_the_same_head_whatever_process_fits_it():
    assert learned(4)[0].to_bytes(FIELDS) == learned(4)[0].to_bytes(FIELDS)


def test_what_was_learned_is_read_back_and_names_alike():
    found, naming = learned(4)
    again = ProjectNaming.from_bytes(FIELDS, found.to_bytes(FIELDS))
    made = receipts(1, first=30)[0]
    assert again is not None
    assert named(again, made) == named(naming, made)
    assert ProjectNaming.from_bytes(ProjectFields(("COMPANY",), {}, {}), found.to_bytes(FIELDS)) is None
    with pytest.raises(WeightsError):
        ProjectNaming.from_bytes(FIELDS, b"damaged")


def test_words_that_nobody_answered_for_teach_nothing():
    views = [FIELDS.view(each, Network().extract(each).probabilities, TAGS) for each in receipts(2)]
    tags = [truth(receipts(2)[0]), [IGNORED] * len(truth(receipts(2)[1]))]
    one = fit(FIELDS.fields, views[:1], tags[:1]).probabilities(views[0])
    both = fit(FIELDS.fields, views, tags).probabilities(views[0])
    # A second page halves what the numbers are held by, and says nothing else.
    assert np.abs(one - both).max() < 0.15


def test_what_is_served_is_the_network_with_what_its_documents_have_shown():
    network = Network()
    documents = [[(each, truth(each))] for each in receipts(4)]
    made = receipts(1, first=40)[0]
    found = {entity.field: entity.text for entity in served(network, FIELDS, documents).extract(made).entities}
    assert found["COMPANY"] == made.lines[0].text
    assert served(network, ProjectFields(("COMPANY",), {}, {}), []) is network


def test_a_page_without_words_and_documents_without_words_are_no_trouble():
    network = Network()
    assert NamedByProject(network, ProjectNaming(FIELDS)).extract(page()).entities == ()
    assert isinstance(served(network, FIELDS, [[(page(), [])]]), NamedByProject)
