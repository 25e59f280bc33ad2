"""Addresses in the net as recognisers read them."""

import pytest

from ml_backend.contacts.net import parse_email, parse_website


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("E: john.doe @ Example.COM", "john.doe@example.com"),
        ("mailto:a@b.de", "a@b.de"),
        ("john©acme.de", "john@acme.de"),
        ("e.smith@x.org", "e.smith@x.org"),
        ("E-Mail: info@acme.co.uk.", "info@acme.co.uk"),
        ("info@acme", None),
        ("acme.de", None),
        ("a..b@acme.de", None),
        ("a@b@acme.de", None),
        ("", None),
    ],
)
def test_a_mail_address_can_be_written_to_or_is_none(text, address):
    assert parse_email(text).address == address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("www.Acme.com", "https://www.acme.com"),
        ("http:/acme.de/x/", "http://acme.de/x"),
        ("Web: acme.co.uk", "https://acme.co.uk"),
        ("https://acme.de:8080/a?b=c", "https://acme.de:8080/a?b=c"),
        ("правительство.рф", "https://правительство.рф"),
        ("acme", None),
        ("http://a:99999", None),
        ("https://user@acme.de", None),
        ("javascript:alert(1)", None),
    ],
)
def test_a_page_can_be_opened_or_is_none(text, url):
    assert parse_website(text).url == url
