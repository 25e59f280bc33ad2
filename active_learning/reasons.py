"""Why a document is sent to a person: a code with numbers, and the same in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Language = Literal["en", "ru"]


class ReasonCode(str, Enum):
    """What may be the matter with a document."""

    NOTHING_READ = "nothing_read"
    VERY_LOW_CONFIDENCE = "very_low_confidence"
    LOW_CONFIDENCE = "low_confidence"
    MANY_LOW_BLOCKS = "many_low_blocks"
    AMBIGUOUS_READING = "ambiguous_reading"
    CRITICAL_MISSING = "critical_missing"
    TOO_FEW_BLOCKS = "too_few_blocks"
    TOO_MANY_BLOCKS = "too_many_blocks"
    LOW_CLASSIFIER_CONFIDENCE = "low_classifier_confidence"
    DISAGREEMENT = "disagreement"
    USUAL_MISSING = "usual_missing"
    CONFUSED_FIELDS = "confused_fields"
    UNLIKE_ANNOTATED = "unlike_annotated"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    Attributes:
        code: What is the matter.
        fields: The fields it is about; none where it is about the whole document.
        value: What was measured: a share or probability in ``[0, 1]``, or a number of blocks; None where there is
            nothing to measure.
        limit: The threshold that it crossed.
    """

    code: ReasonCode
    fields: tuple[str, ...] = ()
    value: float | None = None
    limit: float | None = None


#: How applications know each reason: with what was measured, and alone.
_CODES: dict[ReasonCode, tuple[str, str]] = {
    ReasonCode.NOTHING_READ: ("nothing_read", "nothing_read"),
    ReasonCode.VERY_LOW_CONFIDENCE: ("very_low_avg_confidence", "very_low_confidence"),
    ReasonCode.LOW_CONFIDENCE: ("low_avg_confidence", "low_confidence"),
    ReasonCode.MANY_LOW_BLOCKS: ("many_low_confidence_blocks", "low_confidence_blocks"),
    ReasonCode.AMBIGUOUS_READING: ("ambiguous_blocks", "ambiguous_blocks"),
    ReasonCode.CRITICAL_MISSING: ("missing_critical_fields", "missing_fields"),
    ReasonCode.TOO_FEW_BLOCKS: ("too_few_blocks", "too_few_blocks"),
    ReasonCode.TOO_MANY_BLOCKS: ("too_many_blocks", "too_many_blocks"),
    ReasonCode.LOW_CLASSIFIER_CONFIDENCE: ("low_classifier_confidence", "low_classifier_confidence"),
    ReasonCode.DISAGREEMENT: ("model_disagreement", "disagreement"),
    ReasonCode.USUAL_MISSING: ("missing_usual_fields", "missing_usual_fields"),
    ReasonCode.CONFUSED_FIELDS: ("confused_fields", "confused_fields"),
    ReasonCode.UNLIKE_ANNOTATED: ("unlike_annotated", "unlike_annotated"),
    ReasonCode.CONTROL: ("control", "control"),
}


def coded(reason: Reason) -> str:
    """Return a reason as a code with its value: ``low_avg_confidence: 0.62``, ``too_few_blocks: 2``.

    Reasons that are about fields name these in lower case, ``missing_critical_fields: phone, email``; what has nothing
    to measure is the code alone.
    """
    code = _CODES[reason.code][0]
    if reason.fields:
        return f"{code}: {', '.join(field.lower() for field in reason.fields)}"
    if reason.value is None:
        return code
    return f"{code}: {reason.value:.0f}" if _KINDS.get(reason.code) == _COUNT else f"{code}: {reason.value:.2f}"


def short_code(reason: Reason) -> str:
    """Return a reason as a code without its value: ``low_confidence``, ``missing_fields``."""
    return _CODES[reason.code][1]


_SHARE, _COUNT = "share", "count"
_KINDS = {
    ReasonCode.TOO_FEW_BLOCKS: _COUNT,
    ReasonCode.TOO_MANY_BLOCKS: _COUNT,
}

_WORDS: dict[Language, dict[ReasonCode, str]] = {
    "en": {
        ReasonCode.NOTHING_READ: "nothing was read",
        ReasonCode.VERY_LOW_CONFIDENCE: "very hard to read: {value} sure on average",
        ReasonCode.LOW_CONFIDENCE: "hard to read: {value} sure on average",
        ReasonCode.MANY_LOW_BLOCKS: "{value} of the lines are hard to read",
        ReasonCode.AMBIGUOUS_READING: "{value} of the lines could be read in two ways",
        ReasonCode.CRITICAL_MISSING: "{fields} missing",
        ReasonCode.TOO_FEW_BLOCKS: "few lines: {value}",
        ReasonCode.TOO_MANY_BLOCKS: "many lines: {value}",
        ReasonCode.LOW_CLASSIFIER_CONFIDENCE: "fields are unsure: {value} on average",
        ReasonCode.DISAGREEMENT: "the models disagree ({value})",
        ReasonCode.USUAL_MISSING: "{fields} missing, which most documents have",
        ReasonCode.CONFUSED_FIELDS: "{fields} hard to tell apart",
        ReasonCode.UNLIKE_ANNOTATED: "unlike anything annotated so far",
        ReasonCode.CONTROL: "drawn by chance, to measure with",
    },
    "ru": {
        ReasonCode.NOTHING_READ: "ничего не прочитано",
        ReasonCode.VERY_LOW_CONFIDENCE: "читается очень плохо: в среднем уверенность {value}",
        ReasonCode.LOW_CONFIDENCE: "читается плохо: в среднем уверенность {value}",
        ReasonCode.MANY_LOW_BLOCKS: "плохо читается {value} строк",
        ReasonCode.AMBIGUOUS_READING: "{value} строк можно прочитать по-разному",
        ReasonCode.CRITICAL_MISSING: "не найдено: {fields}",
        ReasonCode.TOO_FEW_BLOCKS: "мало строк: {value}",
        ReasonCode.TOO_MANY_BLOCKS: "много строк: {value}",
        ReasonCode.LOW_CLASSIFIER_CONFIDENCE: "поля определены неуверенно: в среднем {value}",
        ReasonCode.DISAGREEMENT: "модели расходятся во мнении ({value})",
        ReasonCode.USUAL_MISSING: "не найдено: {fields}, хотя обычно это есть",
        ReasonCode.CONFUSED_FIELDS: "трудно различить: {fields}",
        ReasonCode.UNLIKE_ANNOTATED: "не похоже ни на что из размеченного",
        ReasonCode.CONTROL: "выбрано случайно, для измерения",
    },
}
_AND: dict[Language, str] = {"en": " and ", "ru": " и "}
_FIELDS: dict[Language, dict[str, str]] = {
    "en": {"EMAIL": "e-mail", "COMPANY": "company", "FAX": "fax"},
    "ru": {
        "NAME": "имя",
        "PHONE": "телефон",
        "EMAIL": "e-mail",
        "COMPANY": "компания",
        "POSITION": "должность",
        "ADDRESS": "адрес",
        "WEBSITE": "сайт",
        "FAX": "факс",
        "DATE": "дата",
        "TOTAL": "сумма",
    },
}


def explain(reason: Reason, language: Language = "en", names: Mapping[str, str] | None = None) -> str:
    """Return a reason in a few plain words, without a capital or a full stop, to be put in a row of reasons.

    Args:
        reason: What to say.
        language: In which language.
        names: Field to what the project calls it; otherwise the usual word, or the field's name in lower case.
    """
    fields = [field_word(name, language, names) for name in reason.fields]
    listed = _AND[language].join(([", ".join(fields[:-1])] if len(fields) > 1 else []) + fields[-1:])
    value = reason.value or 0.0
    said = f"{value:.0f}" if _KINDS.get(reason.code, _SHARE) == _COUNT else f"{100 * value:.0f} %"
    return _WORDS[language][reason.code].format(fields=listed, value=said)


def field_word(field: str, language: Language = "en", names: Mapping[str, str] | None = None) -> str:
    """Return what a field is called: by the project, else by the language, else its name in lower case."""
    known = _FIELDS[language] | dict(names or {})
    return known.get(field, field.lower().replace("_", " "))
