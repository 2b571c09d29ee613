"""Secrets sealed anew for another key, and which keys are in use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, delete, insert, select, update

from sync_worker.config import load_settings
from sync_worker.ledger.accounts.resealing import SqlResealing
from sync_worker.ledger.accounts.sealing import Opener, Sealer, new_key, public_of
from sync_worker.ledger.accounts.tables import account, account_secret, old_shop
from sync_worker.ledger.administration.sites import SiteAdmin
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.tables import metadata
from sync_worker.ledger.transactions import Transactions
from sync_worker.services.accounts.resealing import Resealing
from sync_worker.wiring.secret_keys import locked

OLD, NEW = new_key(), new_key()


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(request.getfixturevalue(request.param))
    yield engine
    engine.dispose()


@pytest.fixture
def secrets(engine: Engine) -> SqlResealing:
    """Three accounts with two secrets each, sealed for the old key; one of them is revoked, and
    one has left a shop: their webhooks there are still to go.
    """
    sites = SiteAdmin(Transactions(engine))
    for number in (1, 2, 3):
        site, _ = sites.add(f"instance-{number}", "", [])
        give(engine, site.id, number)
    with engine.begin() as connection:
        revoked = update(account).where(account.c.public_id == name_of(3))
        connection.execute(revoked.values(state="revoked"))
    leave(engine, 1)
    return SqlResealing(Transactions(engine))


def name_of(number: int) -> str:
    return str(number) * 26


def give(engine: Engine, site_id: int, number: int) -> None:
    values = {"site_id": site_id, "connector": "shop", "state": "active", "changed": number}
    times = {"created_at": 0.0, "updated_at": 0.0}
    sealer = Sealer(public_of(OLD))
    with engine.begin() as connection:
        new = insert(account).values(public_id=name_of(number), **values, **times)
        account_id = connection.execute(new.returning(account.c.id)).scalar_one()
        for name in ("key", "hook"):
            sealed = sealer.sealed(f"{name}-{number}", account=name_of(number), name=name)
            before = sealer.sealed(f"{name}-before", account=name_of(number), name=name)
            row = {"sealed": sealed, "previous": before, "previous_until": 9e9, "changed_at": 0.0}
            connection.execute(
                insert(account_secret).values(account_id=account_id, name=name, **row)
            )


def leave(engine: Engine, number: int) -> None:
    """An account had another secret at a shop that it has left."""
    sealed = Sealer(public_of(OLD)).sealed("key-then", account=name_of(number), name="key")
    row = {"settings": {}, "addresses": [], "left_at": 0.0}
    with engine.begin() as connection:
        its = select(account.c.id).where(account.c.public_id == name_of(number))
        account_id = connection.execute(its).scalar_one()
        for secrets in ({}, {"key": sealed}):
            left = insert(old_shop).values(account_id=account_id, secrets=secrets, **row)
            connection.execute(left)


def everything(engine: Engine) -> str:
    """All that the ledger holds, as text."""
    with engine.connect() as connection:
        rows = [connection.execute(select(table)).all() for table in metadata.tables.values()]
    return str(rows)


def test_secrets_open_with_the_new_key_alone_after_a_rotation(
    engine: Engine, secrets: SqlResealing
) -> None:
    both = Resealing(secrets, Opener([NEW, OLD]))
    assert both.check().other == 7
    done = both.rotate(Sealer(public_of(NEW)), batch=1)
    assert (done.current, done.resealed, done.other, done.locked) == (7, 7, 0, [])
    assert both.rotate(Sealer(public_of(NEW))).resealed == 0
    new = Opener([NEW])
    with engine.begin() as connection:
        found = select(account_secret, account.c.public_id).join(account)
        rows = connection.execute(found).all()
        (then,) = filter(None, connection.execute(select(old_shop.c.secrets)).scalars())
    assert new.opened(then["key"], account=name_of(1), name="key") == "key-then"
    for row in rows:
        where = {"account": row.public_id, "name": row.name}
        assert new.opened(row.sealed, **where) == f"{row.name}-{row.public_id[0]}"
        assert new.opened(row.previous, **where) == f"{row.name}-before"
    # Whatever is sealed anywhere is sealed for the new key: the old one may go.
    assert Opener([OLD]).current_id not in everything(engine)
    assert list(secrets.keys_in_use()) == [new.current_id]


def test_key_of_a_value_before_alone_is_in_use(engine: Engine, secrets: SqlResealing) -> None:
    """As long as it counts, its account cannot do without it."""
    sealer = Sealer(public_of(NEW))
    with engine.begin() as connection:
        connection.execute(delete(old_shop))
        found = select(account_secret, account.c.public_id).join(account)
        for row in connection.execute(found).all():
            where = (account_secret.c.account_id == row.account_id) & (
                account_secret.c.name == row.name
            )
            sealed = sealer.sealed("new", account=row.public_id, name=row.name)
            connection.execute(update(account_secret).where(where).values(sealed=sealed))
    ids = {Opener([key]).current_id for key in (OLD, NEW)}
    assert secrets.keys_in_use() == dict.fromkeys(ids, 3)
    assert len(secrets.sites_sealed_otherwise({Opener([NEW]).current_id})) == 2


def test_secret_given_anew_while_it_is_sealed_stays_as_it_was_given(
    engine: Engine, secrets: SqlResealing
) -> None:
    rows, _ = secrets.pages(10)
    with engine.begin() as connection:
        connection.execute(update(account_secret).values(sealed="given anew"))
    assert secrets.replace([(row, row) for row in rows]) == 0
    with engine.begin() as connection:
        assert set(connection.execute(select(account_secret.c.sealed)).scalars()) == {"given anew"}


def test_value_before_that_ended_while_it_was_sealed_does_not_come_back(
    engine: Engine, secrets: SqlResealing
) -> None:
    rows, _ = secrets.pages(10)
    with engine.begin() as connection:
        connection.execute(update(account_secret).values(previous=None))
    assert secrets.replace([(row, row) for row in rows]) == 6
    with engine.begin() as connection:
        assert set(connection.execute(select(account_secret.c.previous)).scalars()) == {None}


def test_secret_that_does_not_open_is_named_and_the_others_are_done(
    engine: Engine, secrets: SqlResealing
) -> None:
    with engine.begin() as connection:
        broken = update(account_secret).where(account_secret.c.name == "key")
        connection.execute(broken.values(sealed=account_secret.c.sealed + "x"))
    done = Resealing(secrets, Opener([NEW, OLD])).rotate(Sealer(public_of(NEW)))
    assert (done.resealed, len(done.locked)) == (4, 3)


@pytest.mark.parametrize(
    ("keys", "count", "words"),
    [
        (f"{NEW},{OLD}", 0, ""),
        (NEW, 3, "which SECRETS_KEY does not hold"),
        ("", 3, "SECRETS_KEY, and it is not set"),
        ("no key", 3, "SECRETS_KEY holds 6 characters that are no key"),
    ],
    ids=["both", "the new one", "none", "no key"],  # the keys are others in each process
)
def test_accounts_that_our_keys_do_not_open_are_counted(
    secrets: SqlResealing, keys: str, count: int, words: str
) -> None:
    found = locked(load_settings({"SECRETS_KEY": keys}), secrets.keys_in_use())
    assert found.accounts == count
    assert words in found.line
    assert (OLD[:8] in found.line) is (NEW[:8] in found.line) is False


def test_installation_without_accounts_asks_for_no_key() -> None:
    assert locked(load_settings({"SECRETS_KEY": "no key"}), {}).line == ""
