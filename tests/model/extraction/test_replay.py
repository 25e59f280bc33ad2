import pytest

from model.errors import WeightsError
from model.extraction import replay
from model.weights import make_replay
from tests.model.extraction.test_training import example


@pytest.mark.parametrize(("kind", "least"), [(replay.LEARNING, 200), (replay.MEASURING, 50)])
def test_cards_ship_with_a_tag_a_word(kind, least):
    cards = replay.load_cards(kind)
    assert len(cards) >= least
    assert all(len(card.tags) == len(card.page.words) > 0 for card in cards)
    assert {"B-NAME", "B-FAX", "B-ADDRESS"} <= {tag for card in cards for tag in card.tags}


def test_no_card_is_both_learned_and_measured_with():
    assert not set(make_replay._SEEDS[replay.LEARNING]) & set(make_replay._SEEDS[replay.MEASURING])


def test_the_same_cards_give_the_same_file(tmp_path):
    for name in ("a", "b"):
        replay.save_cards([example(1), example(2)], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_damaged_file_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "FOLDER", tmp_path)
    (tmp_path / "learning.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(WeightsError, match="synthetic cards"):
        replay.load_cards(replay.LEARNING)
