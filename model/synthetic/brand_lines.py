"""What a card says about the company: its name, its logo's letters, slogans, and what stands above and below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model.synthetic.chance import Chance
from model.synthetic.companies import Company
from model.synthetic.content import Span, TextLine, outside
from model.synthetic.jobs import draw_department
from model.synthetic.lexicon import expand, lexicon
from model.synthetic.locales import is_cyrillic, tongue

# Trades that are mostly public: the state stands on their cards.
PUBLIC = ("government", "education", "university")


def brand_lines(chance: Chance, locale: str, company: Company) -> list[TextLine]:
    """Draw the company's name on one or two lines, with what belongs to it."""
    name = company.name + ("," if chance.odds(0.03) else "")
    words = name.split()
    if chance.feature("company_split") and len(words) > 2:
        cut = chance.pick((len(words) - 1, len(words) // 2, max(1, len(words) - 2)))
        parts = [" ".join(words[:cut]), " ".join(words[cut:])]
        styles = ["company", chance.pick(("company", "company_small"))]
        if chance.odds(0.15):
            styles.reverse()
        lines = [TextLine((Span(part, "COMPANY"),), style) for part, style in zip(parts, styles, strict=True)]
    else:
        lines = [TextLine((Span(name, "COMPANY"),), "company")]
    if company.trade == "university" and not is_cyrillic(locale) and chance.feature("school"):
        # A school is part of the institution's name, a department is not.
        school = TextLine(
            (Span(chance.pick(lexicon("industries_en")["university.schools"]), "COMPANY"),), "company_small"
        )
        lines = [*lines, school] if chance.odds(0.7) else [school, *lines]
    if chance.feature("department_with_company"):
        department = outside(draw_department(chance, locale, company.trade), chance.pick(("company_small", "heading")))
        lines = [department, *lines] if chance.odds(0.7) else [*lines, department]
    if not is_cyrillic(locale):
        if chance.feature("descriptor"):
            line = outside(
                draw_descriptor(chance, company.trade), chance.pick(("slogan", "company_small", "small", "heading"))
            )
            lines.append(line)
        if company.trade in PUBLIC and locale == "en_IN" and chance.feature("government"):
            line = outside(chance.pick(lexicon("phrases_en")["government"]), chance.pick(("small", "heading", "body")))
            lines = [*lines, line] if chance.odds(0.6) else [line, *lines]
    return lines


def logo_line(chance: Chance, company: Company) -> TextLine:
    """Draw the letters of a logo: an acronym or a short brand names the company, one or two letters do not."""
    word = company.brand.split()[0].strip("«»\"„“',.")
    if 3 <= len(word) <= 9 and chance.odds(0.35):
        return TextLine((Span(word, "COMPANY"),), "mark")
    letters = company.initials[: chance.between(1, 4)]
    return TextLine((Span(letters, "COMPANY" if len(letters) > 2 else ""),), "mark")


def draw_slogan(chance: Chance, locale: str, trade: str) -> str:
    """Draw a slogan in the language of the locale."""
    words = lexicon("phrases_en")
    native = lexicon("words_world").get(f"slogans_{tongue(locale)}")
    if is_cyrillic(locale):
        slogan = chance.pick(lexicon(f"words_{tongue(locale)}")["slogans"])
    elif native and chance.odds(0.6):
        slogan = chance.pick(native)
    elif chance.odds(0.3):
        slogan = chance.pick(lexicon("industries_en")[f"{trade}.slogans"])
    else:
        slogan = expand(chance, chance.pick(words["slogan"]), words)
        slogan = slogan[0].upper() + slogan[1:].lower() if chance.odds(0.7) else slogan.title()
    styles = {
        slogan: 5.0,
        slogan.upper(): 0.8,
        f"“{slogan}”": 0.3,
        f'"{slogan}"': 0.3,
        f"{slogan}.": 0.7,
        f"{slogan}...": 0.3,
        slogan.title(): 0.6,
        f"{slogan}!": 0.3,
        f"... {slogan.lower()}": 0.2,
        f"- {slogan}": 0.1,
    }
    return chance.weigh(styles)


def draw_descriptor(chance: Chance, trade: str) -> str:
    """Draw a line that says what kind of business it is; it is no field, however much it sounds like a name."""
    trades, words = lexicon("industries_en"), lexicon("phrases_en")
    nouns = [noun for noun in trades[f"{trade}.nouns"] if not noun.startswith("&")]
    parts: Mapping[str, Sequence[str]] = {
        "noun": nouns,
        "service": trades[f"{trade}.services"],
        "trader": words["trader"],
        "maker": words["maker"],
    }
    text = expand(chance, chance.pick(words["descriptor"]), parts)
    return text.upper() if chance.odds(0.25) else text
