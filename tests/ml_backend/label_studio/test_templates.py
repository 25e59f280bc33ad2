from ml_backend.label_studio.fields import match_labels
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.templates import FIELD_COLOURS, business_cards_config


def test_every_field_has_a_label_of_its_own_and_regions_have_text() -> None:
    (target,) = parse_label_config(business_cards_config()).targets
    (group,) = target.groups
    assert (target.image, target.value_key, group.kind) == ("image", "image", "labels")
    assert (group.shape, group.label, target.text_of(None)) == ("box", "label", "text")
    assert match_labels(list(FIELD_COLOURS), target.labels) == {name: name for name in FIELD_COLOURS}


def test_colours_can_be_told_apart() -> None:
    assert len(set(FIELD_COLOURS.values())) == len(FIELD_COLOURS) == 8
