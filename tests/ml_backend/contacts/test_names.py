"""Names in parts."""

import pytest

from ml_backend.contacts.names import split_name


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Ada Lovelace", ("", "Ada", "", "Lovelace", "")),
        ("Dr. Juan de la Vega Jr.", ("Dr.", "Juan", "", "de la Vega", "Jr.")),
        ("Prof. Dr.-Ing. Hans Müller", ("Prof. Dr.-Ing.", "Hans", "", "Müller", "")),
        ("Ada Lovelace, PhD", ("", "Ada", "", "Lovelace", "PhD")),
        ("Иванов Иван Иванович", ("", "Иван", "Иванович", "Иванов", "")),
        ("Иван Иванович Иванов", ("", "Иван", "Иванович", "Иванов", "")),
        ("ДМИТРИЙ СМИРНОВ", ("", "Дмитрий", "", "Смирнов", "")),
        ("王小明", ("", "小明", "", "王", "")),
        ("Lee", ("", "Lee", "", "", "")),
    ],
)
def test_a_name_is_split(text, parts):
    name = split_name(text)
    assert name.full == text
    assert (name.prefix, name.given, name.additional, name.family, name.suffix) == parts
