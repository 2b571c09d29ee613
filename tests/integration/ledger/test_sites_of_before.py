"""Sites that a worker of the version before makes in a rolling upgrade, on both databases."""

from __future__ import annotations

from sqlalchemy import text

from sync_worker.ledger.accounts.upkeep import SqlAccountUpkeep
from sync_worker.ledger.administration.admin import ledger_admin
from tests.factories import a_delivery
from tests.twins.observed_ledger import ObservedLedger


def installed_by_a_worker_of_before(ledger: ObservedLedger, instance_id: str) -> None:
    """It knows no source of a site: the connector is what it writes."""
    with ledger.transactions.write() as connection:
        made = text(
            "INSERT INTO site (instance_id, connector, policy, state, created_at)"
            " VALUES (:instance_id, 'shop', '{}', 'active', 1)"
        )
        connection.execute(made, {"instance_id": instance_id})


def test_site_that_the_version_before_makes_is_served(ledgers: list[ObservedLedger]) -> None:
    """What had come for it goes on; a second one of the same connector needs a person."""
    ledger, _ = ledgers
    upkeep = SqlAccountUpkeep(ledger.transactions)
    for instance_id in ("instance-1", "instance-2"):
        installed_by_a_worker_of_before(ledger, instance_id)
    waiting = ledger.inbox.store(a_delivery(1)).inbox_id
    ledger.inbox.hold([waiting], "no_account")
    sites = ledger_admin(ledger.engine).sites

    (served,) = upkeep.take_up_sites_of_before()

    assert (served.instance_id, served.external_source) == ("instance-1", "shop")
    assert sites.find("instance-1").is_at_work
    assert sites.find("instance-2").why_at_rest == "no_account"
    assert upkeep.release_for_account(served) == [waiting]
    assert upkeep.take_up_sites_of_before() == []


def test_site_that_waits_for_its_account_is_left_alone(ledgers: list[ObservedLedger]) -> None:
    ledger, _ = ledgers
    sites = ledger_admin(ledger.engine).sites
    sites.add("instance-1", "", [])
    assert SqlAccountUpkeep(ledger.transactions).take_up_sites_of_before() == []
    assert sites.find("instance-1").why_at_rest == "no_account"
