"""Cards that are nobody's: designs with placeholder text, as they are offered for sale."""

from __future__ import annotations

from dataclasses import replace

from model.synthetic.chance import Chance
from model.synthetic.content import Block, Content, Span
from model.synthetic.lexicon import lexicon

_SECTIONS = {
    "NAME": "template_name",
    "POSITION": "template_position",
    "COMPANY": "template_company",
    "PHONE": "template_phone",
    "FAX": "template_phone",
    "EMAIL": "template_email",
    "WEBSITE": "template_web",
    "ADDRESS": "template_address",
}


def make_template(chance: Chance, content: Content) -> None:
    """Put placeholders into most fields of a card."""
    words = lexicon("phrases_en")
    kept = {field for field in _SECTIONS if chance.odds(0.15)}
    company = chance.pick(words["template_company"])

    def placeholder(span: Span) -> Span:
        if not span.field or span.field in kept:
            return span
        text = company if span.field == "COMPANY" else chance.pick(words[_SECTIONS[span.field]])
        return replace(span, text=text)

    for role, block in list(content.blocks.items()):
        if role == "mark_text":
            continue
        lines = [replace(line, spans=tuple(placeholder(span) for span in line.spans)) for line in block.lines]
        if role == "address":
            lines = lines[:2]
        content.blocks[role] = Block(tuple(lines))
    if "slogan" in content.blocks:
        line = content.blocks["slogan"].lines[0]
        content.put("slogan", [replace(line, spans=(Span(chance.pick(words["template_slogan"])),))])
