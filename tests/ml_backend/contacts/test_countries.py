import pytest

from ml_backend.contacts.countries import country_of_addresses, country_of_net
from ml_backend.contacts.phones import country_of


@pytest.mark.parametrize(
    ("hosts", "country"),
    [
        (["example.de"], "DE"),
        (["mail.example.co.uk", "example.com"], "GB"),
        (["example.io"], None),
        (["example.co"], None),
        (["example.me", "example.in"], "IN"),
        (["example.de", "example.fr"], None),
        (["rediffmail.com"], "IN"),
        (["yahoo.co.uk"], None),
        (["yahoo.co.uk", "example.de"], "DE"),
        (["example.com"], None),
        ([], None),
    ],
)
def test_the_net_tells_a_country_by_endings_that_are_its_own(hosts, country):
    assert country_of_net(hosts) == country


@pytest.mark.parametrize(
    ("addresses", "country"),
    [
        (["1 Example Street, Springfield, IL 62701"], "US"),
        (["1 Example Street", "Hyderabad 500001, India"], "IN"),
        (["Musterweg 1, DE 80331 München"], None),
        (["Musterweg 1, 80331 München, Deutschland"], "DE"),
        (["г. Москва, Россия"], "RU"),
        (["Atlanta, Georgia"], None),
        (["Paris, France", "Berlin, Germany"], None),
        (["12 Indiana Road"], None),
        (["Cape Town, South Africa"], "ZA"),
        (["12 Example Road, Exampletown - 500 016."], "IN"),
        (["12 Example Road, Somewhere, Tamil Nadu"], "IN"),
        (["1 Example Street, Springfield, California 9O210"], "US"),
        (["1 Example Street, Anytown, NY"], "US"),
        (["1 Example Rd, Mississauga, ON L5E 3E5"], "CA"),
        (["1 Example Road, Leeds LS1 4AP"], "GB"),
        (["Musterweg 1, D-80331 München"], "DE"),
        (["Bahnhofstrasse 1, CH-8001 Zürich"], "CH"),
        (["12 Example Street, Nairobi"], "KE"),
        (["ул. Примерная, 1, Новосибирск"], "RU"),
        (["12 London Road, Exampletown - 500 016"], "IN"),
        (["1500 - 2000 pieces"], None),
    ],
)
def test_addresses_tell_a_country_by_its_name_or_their_form(addresses, country):
    assert country_of_addresses(addresses) == country


def test_numbers_of_two_countries_tell_none():
    assert country_of(["+49 30 123456", "+44 20 7946 0000"]) is None
    assert country_of(["+49 30 123456", "+44 20 7946 0000", "+49 89 123456"]) == "DE"
