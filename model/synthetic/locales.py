"""Which locales cards come in, how often, and what they share."""

from __future__ import annotations

from collections.abc import Mapping

# India and the United States weigh most; Cyrillic ones are a quarter; every locale comes often enough to be learned.
LOCALES: Mapping[str, float] = {
    "en_IN": 25.0,
    "en_US": 18.0,
    "en_GB": 6.0,
    "en_CA": 2.0,
    "en_AU": 2.0,
    "en_NZ": 0.7,
    "en_IE": 0.7,
    "en_PK": 1.5,
    "en_KE": 0.6,
    "en_NG": 0.6,
    "zu_ZA": 0.8,
    "en_PH": 0.6,
    "ru_RU": 13.0,
    "uk_UA": 6.0,
    "bg_BG": 4.0,
    "mk_MK": 2.0,
    "de_DE": 2.0,
    "de_AT": 0.7,
    "de_CH": 0.7,
    "fr_FR": 1.8,
    "fr_BE": 0.5,
    "fr_CA": 0.6,
    "fr_CH": 0.5,
    "es_ES": 1.2,
    "es_MX": 1.0,
    "es_AR": 0.5,
    "es_CO": 0.5,
    "es_CL": 0.4,
    "pt_BR": 1.2,
    "pt_PT": 0.6,
    "it_IT": 1.2,
    "nl_NL": 0.8,
    "nl_BE": 0.4,
    "pl_PL": 0.9,
    "cs_CZ": 0.6,
    "sk_SK": 0.4,
    "sv_SE": 0.5,
    "no_NO": 0.4,
    "da_DK": 0.4,
    "fi_FI": 0.5,
    "tr_TR": 0.7,
    "ro_RO": 0.5,
    "hu_HU": 0.5,
    "hr_HR": 0.5,
    "sl_SI": 0.3,
    "et_EE": 0.3,
    "lt_LT": 0.3,
    "lv_LV": 0.3,
    "id_ID": 0.6,
    "fil_PH": 0.3,
    "sq_AL": 0.2,
}
# How names are ordered where it is not given name, family name.
EASTERN: Mapping[str, str] = {"ru_RU": "patronymic", "uk_UA": "patronymic", "hu_HU": "family_first"}
# The word list of positions and trades; what is missing here is English.
_TONGUES = {
    "ru": "ru",
    "uk": "uk",
    "bg": "bg",
    "mk": "mk",
    "de": "de",
    "fr": "fr",
    "es": "es",
    "it": "it",
    "pt": "pt",
    "nl": "nl",
    "pl": "pl",
    "cs": "cs",
    "sk": "cs",
    "sv": "sv",
    "no": "sv",
    "da": "sv",
    "fi": "fi",
    "tr": "tr",
    "ro": "ro",
    "hu": "hu",
    "hr": "hr",
    "sl": "hr",
}
_LEGAL_FORMS = {
    "en_IN": "en_IN",
    "en_PK": "en_IN",
    "en_US": "en_US",
    "en_PH": "en_US",
    "fil_PH": "en_US",
    "en_CA": "en_US",
    "en_AU": "en_AU",
    "en_NZ": "en_GB",
    "zu_ZA": "en_ZA",
    "sv_SE": "nordic",
    "no_NO": "nordic",
    "da_DK": "nordic",
    "fi_FI": "nordic",
    "et_EE": "baltic",
    "lt_LT": "baltic",
    "lv_LV": "baltic",
    "nl_BE": "nl",
    "fr_CH": "fr",
    "id_ID": "id",
    "sl_SI": "hr",
    "sk_SK": "cs",
    "sq_AL": "en_GB",
}
_DOMAINS = {"en_IN": "in", "en_GB": "co.uk", "en_US": "us", "en_AU": "com.au", "en_PK": "com.pk", "zu_ZA": "co.za"}


def is_cyrillic(locale: str) -> bool:
    """Say whether cards of ``locale`` are printed in Cyrillic."""
    return locale[:2] in {"ru", "uk", "bg", "mk"}


def tongue(locale: str) -> str:
    """Return the word list that the locale's titles come from, such as ``ru``; ``en`` where it has none."""
    return _TONGUES.get(locale[:2], "en")


def country(locale: str) -> str:
    """Return the two-letter region, such as ``IN``."""
    return locale[-2:]


def legal_forms(locale: str) -> str:
    """Return the key of the locale's legal forms in the word list of companies."""
    if locale.startswith("en") and locale not in _LEGAL_FORMS:
        return "en_GB"
    return _LEGAL_FORMS.get(locale, locale[:2])


def domain_ending(locale: str) -> str:
    """Return the country's ending of domain names."""
    return _DOMAINS.get(locale, locale[-2:].lower())
