"""What patterns say of a run of words: does it look like an address of the net, or like a number one can call?

A second opinion beside the classifier's. It decides nothing: :mod:`model.extraction.committee` weighs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import phonenumbers

KINDS = ("mail", "host", "number", "code", "digits", "text")
"""What a run of words may look like: a mail address, a host or page of the web, a number that can be called, a number
that cannot, text with digits in it, text without."""

LABELS = ("none", "phone", "fax", "other")
"""What is written before it: none of these, a label for telephones, one for fax machines, one for other numbers."""

# Recognisers read the sign in a circle as a letter in a circle.
_AT = "@©®"
_MAIL = re.compile(rf"[\w.+-]+[{_AT}][\w-]+(\.[\w-]+)*\.?", re.IGNORECASE)
_HOST = re.compile(r"(https?:?/*)?(www[.,])?([\w-]+\.)+[a-z]{2,}(/\S*)?", re.IGNORECASE)
_BRAND_PAGE = re.compile(r"(https?:/*|www\.)\S{3,}", re.IGNORECASE)
_NOT_OF_A_NUMBER = re.compile(r"[^\d\s()+./,\-–:;&|xX#]")
_EXTENSION = re.compile(r"\b(ext|extn|extension|x|lines?|to|tolls?|free)\b\.?", re.IGNORECASE)

#: Digits of a number that can be called: extensions and codes are shorter, two glued numbers longer.
_CALLABLE_DIGITS = range(6, 16)

_PHONE_LABEL = re.compile(
    r"(tele?|telephone|phones?|ph|mob|mobile|mobil|cell|handy|tel[eé]fono|t[eé]l|telefon|gsm|office|off|res|resi|direct|"
    r"hotline|call|contact|toll|free|whats ?app|voice|tlf|тел|телефон|моб|мобильный|[mtpocrhd])[\W_]*(no|nos|№)?[\W_]*",
    re.IGNORECASE,
)
_FAX_LABEL = re.compile(r"((tele)?fax|факс|faks|f)[\W_]*(no|nos)?[\W_]*", re.IGNORECASE)
_OTHER_LABEL = re.compile(
    r"(pin|zip|code|reg[dn]?|regn|reg|lic|license|licence|gst(in)?|tin|cin|vat|pan|iso|iec|ein|abn|id|no|po|p\.?o|box|"
    r"suite|ste|room|plot|flat|floor|unit|estd?|since|инн|кпп|огрн)[\W_]*(no|#)?[\W_]*",
    re.IGNORECASE,
)


def kind_of(text: str) -> str:
    """Return which of :data:`KINDS` a text without its white space looks like."""
    tight = "".join(text.split()).strip(".,;:|()[]<>")
    if _MAIL.fullmatch(tight) and "." in tight:
        return "mail"
    if _HOST.fullmatch(tight) or _BRAND_PAGE.fullmatch(tight):
        return "host"
    digits = sum(c.isdigit() for c in text)
    if not digits:
        return "text"
    if _NOT_OF_A_NUMBER.search(_EXTENSION.sub("", text)):
        return "digits"
    return "number" if digits in _CALLABLE_DIGITS and _may_be_called(text) else "code"


def label_before(words: Sequence[str]) -> str:
    """Return which of :data:`LABELS` stands at the end of the words before a value; only the last two are looked at."""
    for count in (2, 1):
        said = "".join(words[-count:])
        for label, pattern in (("fax", _FAX_LABEL), ("phone", _PHONE_LABEL), ("other", _OTHER_LABEL)):
            if pattern.fullmatch(said):
                return label
    return "none"


def outcome(words: Sequence[str], start: int, stop: int) -> str:
    """Return what the patterns say of words ``start`` to ``stop`` of a line: ``KIND`` or, for numbers, ``KIND/LABEL``.

    Args:
        words: The texts of one line's words.
        start: Index of the first word.
        stop: Index after the last.
    """
    kind = kind_of(" ".join(words[start:stop]))
    return f"{kind}/{label_before(words[:start])}" if kind in {"number", "code"} else kind


def _may_be_called(text: str) -> bool:
    """Tell whether a number written with its country's code can be one; of others nobody knows the country."""
    if not text.lstrip(" (").startswith("+"):
        return True
    try:
        number = phonenumbers.parse(_EXTENSION.sub("", text))
    except phonenumbers.NumberParseException:
        return False
    reasons = phonenumbers.ValidationResult
    # Several numbers in one run are too long for one; a lost digit makes one too short, which is the reader's fault.
    return phonenumbers.is_possible_number_with_reason(number) not in {reasons.INVALID_COUNTRY_CODE, reasons.TOO_LONG}
