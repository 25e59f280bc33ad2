"""A contact has one task, whoever asks, and however often."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import update

from ml_backend.store.contacts import CLAIM_SECONDS, Claim, ContactStore
from ml_backend.store.engine import writing
from ml_backend.store.events import Store
from ml_backend.store.tables import ContactRow


@pytest.fixture
def engine(store_url):
    store = Store(store_url)
    yield store.engine
    store.close()


def test_of_many_that_ask_at_once_one_may_make_the_task(engine):
    contacts = ContactStore(engine)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: contacts.claim(1, "a"), range(8)))
    assert sum(claim.mine for claim in claims) == 1
    contacts.settle(1, "a", 7)
    assert contacts.claim(1, "a") == Claim(7)
    assert contacts.claim(2, "a").mine
    assert contacts.task_of(1, "a") == 7
    assert contacts.contacts_of(1, [7, 8]) == {7: "a"}


def test_what_could_not_be_made_may_be_tried_again(engine):
    contacts = ContactStore(engine)
    assert contacts.claim(1, "a").mine
    contacts.release(1, "a")
    assert contacts.claim(1, "a") == Claim(None, mine=True)


def test_whoever_died_while_making_it_is_succeeded_by_one_who_looks_first(engine):
    contacts = ContactStore(engine)
    contacts.claim(1, "a")
    assert contacts.claim(1, "a") == Claim(None)
    with writing(engine) as connection:
        old = datetime.now(timezone.utc) - timedelta(seconds=CLAIM_SECONDS + 1)
        connection.execute(update(ContactRow).values(claimed_at=old))
    assert contacts.claim(1, "a") == Claim(None, mine=True, again=True)


def test_a_task_that_is_gone_is_forgotten_only_if_it_is_still_that_one(engine):
    contacts = ContactStore(engine)
    contacts.claim(1, "a")
    contacts.settle(1, "a", 7)
    contacts.release(1, "a", 6)
    assert contacts.task_of(1, "a") == 7
    contacts.release(1, "a", 7)
    assert contacts.task_of(1, "a") is None
