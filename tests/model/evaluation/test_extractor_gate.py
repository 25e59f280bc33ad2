import numpy as np
import pytest

from model.evaluation.card_likeness import CardShare
from model.evaluation.entity_metrics import Score, total
from model.evaluation.extractor_gate import GateSettings, decide, field_agreement, held_out, lower_bound


def documents(accuracy, count=40, seed=1, field="NAME"):
    """Return documents of six entities each, of which a share is right."""
    rng = np.random.default_rng(seed)
    return [{field: Score(int((rng.random(6) < accuracy).sum()), 6, 6)} for _ in range(count)]


def gate(champion, challenger, forgetting=((), ()), cards=None, agreement=None, **settings):
    rng = np.random.default_rng(0)
    return decide(champion, challenger, forgetting, GateSettings(**settings), rng, cards=cards, agreement=agreement)


def failed(decision):
    return [check.name for check in decision.checks if not check.passed]


def test_a_better_challenger_is_promoted_and_the_reason_says_by_how_much():
    decision = gate(documents(0.5), documents(0.8))
    assert decision.promote
    assert "entity F1 0.8" in decision.reason


def test_one_that_is_no_better_is_not():
    assert failed(gate(documents(0.7), documents(0.7))) == ["better"]


def test_too_few_documents_decide_nothing():
    decision = gate(documents(0.5, count=9), documents(0.9, count=9))
    assert not decision.promote
    assert decision.reason == "9 held-out documents of 10 needed"


def test_a_gain_that_may_be_a_loss_is_not_enough():
    champion = [{"NAME": Score(3, 6, 6)}] * 10
    challenger = [{"NAME": Score(6, 6, 6)}] * 6 + [{"NAME": Score(0, 6, 6)}] * 4
    assert failed(gate(champion, challenger)) == ["bootstrap"]


def test_no_field_with_enough_entities_may_collapse():
    champion = [{"NAME": Score(2, 6, 6), "FAX": Score(1, 1, 1)}] * 12
    challenger = [{"NAME": Score(6, 6, 6), "FAX": Score(0, 0, 1)}] * 12
    decision = gate(champion, challenger)
    assert failed(decision) == ["fields"]
    assert "FAX" in decision.reason


def test_a_field_with_few_entities_stands_in_nobodys_way():
    champion = [{"NAME": Score(2, 6, 6), "FAX": Score(int(i < 3), 0, int(i < 3))} for i in range(12)]
    challenger = [{"NAME": Score(6, 6, 6), "FAX": Score(0, 0, int(i < 3))} for i in range(12)]
    assert gate(champion, challenger).promote


def test_what_was_known_of_synthetic_cards_must_not_be_forgotten():
    decision = gate(documents(0.5), documents(0.8), (documents(0.9), documents(0.7)))
    assert failed(decision) == ["forgetting"]
    assert gate(documents(0.5), documents(0.8), (documents(0.9), documents(0.9))).promote


def test_the_two_must_be_evaluated_on_the_same_documents():
    with pytest.raises(ValueError, match="same documents"):
        gate(documents(0.5, count=11), documents(0.5, count=12))


def test_the_lower_bound_lies_below_the_gain_and_nears_it_with_more_documents():
    champion, challenger = documents(0.5, count=12), documents(0.8, count=12, seed=2)
    gain = total(challenger)["micro"].f1 - total(champion)["micro"].f1
    few, many = (lower_bound(champion * times, challenger * times, 1000, np.random.default_rng(0)) for times in (1, 30))
    assert few < many < gain
    assert gain - many < 0.03


def test_a_fifth_of_the_tasks_is_held_out_always_the_same():
    chosen = held_out(7, range(5000))
    assert 0.18 < len(chosen) / 5000 < 0.22
    assert held_out(7, range(2500)) == {task for task in chosen if task < 2500}
    assert chosen != held_out(8, range(5000))


def test_chance_never_leaves_the_gate_too_few_documents_of_many():
    for project in range(40):
        assert len(held_out(project, range(50), least=10)) >= 10
    few = [held_out(project, range(30), least=10) for project in range(40)]
    assert few == [held_out(project, range(30)) for project in range(40)]


def test_a_fields_loss_that_chance_explains_stops_nothing():
    def badge(company, tickets):
        return {"COMPANY": Score(company, 1, 1), "TICKET": Score(tickets, 1, 1)}

    champion = [badge(1, 0)] * 10
    by_chance = [badge(0, 1)] * 2 + [badge(1, 1)] * 8
    surely = [badge(0, 1)] * 4 + [badge(1, 1)] * 6
    assert gate(champion, by_chance).promote
    assert failed(gate(champion, surely)) == ["fields"]


FORGOTTEN = ([{"NAME": Score(93, 100, 100)}] * 40, [{"NAME": Score(86, 100, 100)}] * 40)


def test_what_is_forgotten_of_cards_stops_no_project_that_has_none():
    decision = gate(documents(0.1), documents(0.64), FORGOTTEN, cards=CardShare(0, 55))
    assert decision.promote
    assert "synthetic cards do not count: none of the project's 55 documents is like a business card" in decision.reason


def test_what_is_forgotten_of_cards_stops_a_project_of_cards_and_the_reason_says_that_it_has_them():
    decision = gate(documents(0.5), documents(0.8), FORGOTTEN, cards=CardShare(54, 55))
    assert failed(decision) == ["forgetting"]
    assert "54 of 55 documents are like business cards" in decision.reason


@pytest.mark.parametrize(("cards", "promoted"), [(10, True), (20, True), (50, False)])
def test_in_a_project_with_both_cards_count_as_far_as_they_are_there(cards, promoted):
    decision = gate(documents(0.3), documents(0.7), FORGOTTEN, cards=CardShare(cards, 55))
    assert decision.promote == promoted
    assert f"{cards} of 55 documents are like business cards" in decision.reason


def test_without_a_document_that_could_tell_cards_count_as_ever():
    assert failed(gate(documents(0.5), documents(0.8), FORGOTTEN, cards=CardShare(0, 0))) == ["forgetting"]


def confusion(rng, fields, right):
    """Return words by annotated and named field: of those that have both, a share is right."""
    found = {("none", "none"): 5000, ("none", fields[0]): 40, (fields[0], "none"): 40}
    for _ in range(400):
        truth = rng.choice(fields)
        named = truth if rng.random() < right else rng.choice(fields)
        found[(truth, named)] = found.get((truth, named), 0) + 1
    return found


def test_labels_that_were_given_by_chance_are_never_promoted_whatever_documents_there_are():
    rng = np.random.default_rng(3)
    agreement = field_agreement(confusion(rng, ["COMPANY", "TOTAL", "DATE"], 0.0), "none")
    assert abs(agreement) < 0.15
    decision = gate(documents(0.1), documents(0.3), FORGOTTEN, cards=CardShare(0, 55), agreement=agreement)
    assert failed(decision) == ["labels"]
    assert "given by chance" in decision.reason


def test_labels_that_can_be_learned_are_told_from_chance():
    rng = np.random.default_rng(4)
    agreement = field_agreement(confusion(rng, ["COMPANY", "TOTAL", "DATE"], 0.5), "none")
    assert 0.4 < agreement < 0.6
    assert gate(documents(0.1), documents(0.6), agreement=agreement).promote


def test_where_agreement_says_nothing_it_does_not_count():
    assert field_agreement({("Total", "Total"): 90, ("none", "Total"): 30}, "none") is None
    assert field_agreement({("A", "A"): 5, ("B", "B"): 5}, "none") is None
    # Nearly all words are of one field, which chance would name too.
    assert field_agreement({("ITEM", "ITEM"): 950, ("DATE", "ITEM"): 50}, "none") == 0.95
