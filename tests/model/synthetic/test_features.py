"""Each hard case of real cards is a feature of the generator: a card that must have it shows it."""

import re
from collections.abc import Callable

import pytest

from model.document.bio import spans
from model.synthetic import FEATURES, layout_card
from model.synthetic.generator import plan_card

TRIES, LEAST = 6, 5


class Shown:
    """What a test asks of a card: what was decided to say, and what was printed in the end."""

    def __init__(self, fonts, feature, seed):
        wanted = {"features": [feature], "locales": ["en_IN"], "shot": "flat"}
        plan = plan_card(seed, fonts=fonts, **wanted)
        self.card = layout_card(seed, fonts=fonts, **wanted)
        self.blocks = plan.content.blocks
        self.lines = plan.design.lines
        self.styles = {line.style for line in plan.design.lines}
        self.ornaments = {ornament.kind for ornament in plan.design.ornaments}

    def said(self, role: str) -> list[str]:
        """The texts of a block."""
        return [line.text for line in self.blocks[role].lines] if role in self.blocks else []

    def fields(self, role: str) -> list[list[str]]:
        """The fields on each line of a block."""
        if role not in self.blocks:
            return []
        return [[span.field for span in line.spans if span.field] for line in self.blocks[role].lines]

    def printed(self, field: str) -> list[str]:
        """The printed values of a field."""
        page = self.card.page
        found = spans(self.card.tags, page.line_spans())
        return [" ".join(w.text for w in page.words[a:b]) for name, a, b in found if name == field]

    def parts(self, role: str) -> list[tuple[str, ...]]:
        """The fields of all spans of each line of a block, empty ones too."""
        return [tuple(span.field for span in line.spans) for line in self.blocks[role].lines]


def outside_line(role: str) -> Callable[[Shown], bool]:
    """A line of the block belongs to no field."""
    return lambda card: any(not fields for fields in card.fields(role))


def on_one_line(*fields: str) -> Callable[[Shown], bool]:
    return lambda card: any(set(fields) <= set(line) for line in card.fields("contact"))


def says(role: str, pattern: str) -> Callable[[Shown], bool]:
    return lambda card: any(re.search(pattern, text) for text in card.said(role))


def is_upper(texts: list[str]) -> bool:
    return any(text.isupper() for text in texts)


SHOWS: dict[str, Callable[[Shown], bool]] = {
    "all_capitals": lambda c: all(t.isupper() for f in ("NAME", "COMPANY", "POSITION") for t in c.printed(f)),
    "bearer": lambda c: any("NAME" in line for line in c.fields("contact")),
    "branches": says("extras", r"(\w(, | \| | • | - )\w.*){2}"),
    "call_to_action": outside_line("extras"),
    "company_repeated": lambda c: ["COMPANY"] in c.fields("address"),
    "company_split": lambda c: c.fields("brand").count(["COMPANY"]) == 2,
    "degrees": says("person", r"[BMPDJF]\.? ?[A-Za-z]{1,6}\.?|[A-Z]{2,}"),
    "department": outside_line("person"),
    "department_with_company": outside_line("brand"),
    "descriptor": outside_line("brand"),
    "fax": lambda c: bool(c.printed("FAX")),
    "fax_on_phone_line": on_one_line("PHONE", "FAX"),
    "glued_label": says("contact", r"^[A-Za-z.() /-]+[:.-]+[\w+(]"),
    "government": outside_line("brand"),
    "group_line": outside_line("extras"),
    "handwriting": lambda c: "handwriting" in c.styles,
    "honorific": says("person", r"^(D|P|M|E|A|C|B|R|S|H|L|F)[a-z]{0,8}\.?|^CA "),
    "icons": lambda c: any(kind.startswith("icon:") for kind in c.ornaments),
    "invocation": lambda c: c.fields("top") == [[]],
    "label_above": lambda c: outside_line("contact")(c) or all(line[0] == "" for line in c.parts("contact")),
    "label_after": lambda c: any(len(p) > 1 and p[-1] == "" and p[0] for p in c.parts("contact")),
    "label_column": lambda c: any(line.tab == 1 for line in c.blocks["contact"].lines),
    "logo_text": lambda c: "mark" in c.styles and "mark" in c.ornaments,
    "mail_on_phone_line": on_one_line("PHONE", "EMAIL"),
    "name_in_capitals": lambda c: is_upper(c.printed("NAME")),
    "name_with_position": lambda c: ["NAME", "POSITION"] in c.fields("person"),
    "no_company": lambda c: "brand" not in c.blocks,
    "no_labels": lambda c: all(p[0] for p in c.parts("contact") if not {"FAX", "NAME"} & set(p)),
    "no_person": lambda c: "person" not in c.blocks,
    "office_residence": lambda c: says("contact", r"\(O\)")(c) and says("contact", r"\(R\)")(c),
    "one_line_contact": lambda c: any(len(set(line)) >= 2 for line in c.fields("contact")),
    "opening_hours": outside_line("extras"),
    "phone_beside_name": lambda c: c.fields("corner") == [["PHONE"]],
    "phone_shorthand": lambda c: any(re.search(r"\d( ?[/,&-] ?| to )\d", text) for text in c.printed("PHONE")),
    "photo": lambda c: "photo" in c.ornaments,
    "position_with_department": lambda c: ("POSITION", "") in c.parts("person"),
    "qr_code": lambda c: "qr" in c.ornaments,
    "registration": outside_line("extras"),
    "school": lambda c: c.fields("brand").count(["COMPANY"]) >= 2,
    "scanner_mark": lambda c: "scanner" in c.styles and all(not f for f in c.fields("scanner")),
    "screen_capture": lambda c: c.fields("screen") == [[]],
    "second_script": lambda c: any("\u0900" <= letter <= "\u0cff" for text in c.said("native") for letter in text),
    "services": lambda c: bool(c.said("services")) and not any(c.fields("services")),
    "shop": lambda c: "person" not in c.blocks or "services" in c.blocks,
    "slogan": lambda c: c.fields("slogan") == [[]],
    "social": lambda c: bool(c.said("extras")) and {f for line in c.fields("extras") for f in line} <= {"WEBSITE"},
    "split_mail": lambda c: any(
        " " in s.text for p in c.blocks["contact"].lines for s in p.spans if s.field == "EMAIL"
    ),
    "template": lambda c: any(
        re.search(r"(?i)you|name|company|123|000|title|sample|doe|domain|example", text)
        for field in ("NAME", "COMPANY", "EMAIL", "WEBSITE", "ADDRESS")
        for text in c.printed(field)
    ),
    "three_offices": lambda c: "address2" in c.blocks and "address3" in c.blocks,
    "two_mails": lambda c: sum(line.count("EMAIL") for line in c.fields("contact")) == 2,
    "two_offices": lambda c: any("ADDRESS" in line for line in c.fields("address2")),
    "two_people": lambda c: any("NAME" in line for line in c.fields("person2")),
    "two_positions": lambda c: c.fields("person").count(["POSITION"]) >= 2,
    "web_on_mail_line": on_one_line("EMAIL", "WEBSITE"),
}


def test_every_feature_has_a_test():
    assert SHOWS.keys() == FEATURES.keys()


@pytest.mark.parametrize("feature", FEATURES)
def test_a_card_that_must_have_a_feature_shows_it(fonts, feature):
    cards = [Shown(fonts, feature, seed) for seed in range(TRIES)]
    assert all(feature in card.card.features for card in cards)
    # A place may be too small for all that was wanted, but seldom.
    assert sum(map(SHOWS[feature], cards)) >= LEAST
