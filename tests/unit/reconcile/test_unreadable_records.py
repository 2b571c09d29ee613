"""What a sweep may conclude from a record that it cannot read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sync_worker.core.errors import (
    Away,
    Facts,
    GoneUnsaid,
    LeaseLost,
    Permanent,
    SyncError,
    Transient,
    Unauthorized,
)
from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.sweep_values import Listed, Mark
from sync_worker.core.values import Side, SiteSide
from sync_worker.engine.holds.accounts import AccountWatch
from sync_worker.reconcile.reconcile import Reconcile

FORBIDDEN = Unauthorized("no", facts=Facts("own-service", status=403))
SITE: Any = SimpleNamespace(id=1)


class Accounts:
    """Notes the accounts that fail."""

    def __init__(self) -> None:
        self.failed: list[SiteSide] = []

    def fail(self, account: SiteSide, inbox_ids: object, why: str) -> None:
        self.failed.append(account)


def watch_of(accounts: Any, probe: SyncError | None) -> AccountWatch:
    connection: Any = SimpleNamespace(probes={Side.EXTERNAL: lambda: answer(probe)})
    bell: Any = None
    return AccountWatch(accounts, bell, lambda site: connection)


def answer(error: SyncError | None) -> bool:
    if error is not None:
        raise error
    return True


def is_gone(
    error: SyncError | None,
    probe: SyncError | None = None,
    *,
    is_over: bool = False,
    mark: Mark = Mark.MISSING,
    says_gone: bool = True,
) -> bool:
    """What a look by id says that ends with an error; without one it finds nothing."""

    def get(remote_id: str) -> None:
        answer(error)

    remote = SimpleNamespace(
        get=get,
        capabilities=Capabilities(says_gone=says_gone),
    )
    connection = SimpleNamespace(remotes={Side.EXTERNAL: remote}, people=None)
    pace = SimpleNamespace(is_over=lambda: is_over)
    run: Any = SimpleNamespace(runs=None, patiently=lambda call: call(), pace=pace)
    engine = SimpleNamespace(account_watch=watch_of(Accounts(), probe))
    intake: Any = SimpleNamespace(connect=lambda site: connection, engine=engine)
    row = Listed(Side.EXTERNAL, "1", mark)
    return Reconcile(run, SITE, intake)._is_gone(row)


@pytest.mark.parametrize("error", [FORBIDDEN, Permanent("422"), Transient("500")])
def test_record_that_cannot_be_read_is_not_gone_and_the_run_goes_on(error: SyncError) -> None:
    assert not is_gone(error)
    assert is_gone(GoneUnsaid())


def test_record_that_one_listing_missed_is_gone_only_if_that_is_said() -> None:
    """Nobody would have told of its deletion; but nothing else than one listing speaks for it."""
    assert is_gone(None, mark=Mark.UNTOLD)
    assert not is_gone(GoneUnsaid(), mark=Mark.UNTOLD)
    # A look that searches the listing once more.
    assert not is_gone(None, mark=Mark.UNTOLD, says_gone=False)
    assert is_gone(None, mark=Mark.MISSING, says_gone=False)


@pytest.mark.parametrize("error", [Away(), LeaseLost()])
def test_run_stops_where_nobody_could_look(error: SyncError) -> None:
    with pytest.raises(type(error)):
        is_gone(error)
    with pytest.raises(Transient):
        is_gone(Transient("the turn of the site is over"), is_over=True)


def test_run_stops_where_the_account_is_refused() -> None:
    with pytest.raises(Unauthorized):
        is_gone(FORBIDDEN, probe=Unauthorized("401"))


@pytest.mark.parametrize(
    ("probe", "may_pass", "failed"),
    [(None, False, 0), (Transient(), True, 0), (Unauthorized("401"), True, 1)],
)
def test_account_fails_only_if_its_cheap_read_is_refused_too(
    probe: SyncError | None, may_pass: bool, failed: int
) -> None:
    accounts = Accounts()
    assert watch_of(accounts, probe).note(FORBIDDEN, SITE) is may_pass
    assert len(accounts.failed) == failed
