"""What the list of troubles says of accounts."""

from __future__ import annotations

import pytest

from sync_worker.core.values import AccountState, SiteState
from sync_worker.ledger.administration.door_counts import DoorSource
from sync_worker.ledger.administration.standing import SiteStanding
from sync_worker.services.evidence import Evidence, RemoteLook
from sync_worker.services.trouble import TroubleKind
from sync_worker.services.troubles import MAX_OF_A_KIND, shortened, troubles


def a_site(number: int = 1, account: AccountState | None = None, **more: object) -> SiteStanding:
    standing = {"state": SiteState.ACTIVE, "is_compared": True, "is_comparing": False} | more
    return SiteStanding(number, "woocommerce", account=account, **standing)  # type: ignore[arg-type]  # by name


def kinds(*sites: SiteStanding) -> list[TroubleKind]:
    return [trouble.kind for trouble in troubles(Evidence(now=0.0, sites=sites))]


def test_pauses_of_a_site_and_of_its_account_both_show() -> None:
    site = a_site(account=AccountState.PAUSED, state=SiteState.PAUSED, paused_why="it moves")
    found = troubles(Evidence(now=0.0, sites=[site]))
    assert [
        trouble.sentence for trouble in found if trouble.kind is not TroubleKind.NOTHING_RUNS
    ] == [
        "site 1 (woocommerce) is paused: its ratings wait",
        "the account of site 1 (woocommerce) is paused (it moves): its ratings wait",
    ]


@pytest.mark.parametrize("is_compared", [True, False])
def test_site_that_waits_for_its_owner_is_no_trouble_beside_another(is_compared: bool) -> None:
    waits = a_site(2, is_given=False, is_compared=is_compared)
    assert kinds(a_site(1), waits) == [TroubleKind.NOTHING_RUNS]
    assert TroubleKind.NO_SITE in kinds(waits)


def test_locked_accounts_are_one_sentence_with_the_next_step() -> None:
    evidence = Evidence(
        now=0.0, sites=[a_site()], locked_accounts=3, keys_reason="SECRETS_KEY has no key"
    )
    (locked,) = (one for one in troubles(evidence) if one.kind is TroubleKind.ACCOUNTS_LOCKED)
    assert "the secrets of 3 accounts do not open: SECRETS_KEY has no key" in locked.sentence
    assert "SECRETS_KEY" in locked.next_step


def test_ratings_that_a_worker_holds_for_its_key_are_told_by_site() -> None:
    """Whatever the key of whoever asks opens."""
    site = a_site(2, source="woocommerce/a", instance_id="instance-2")
    holds = {"woocommerce/a": 2, "instance-2": 1}
    found = troubles(Evidence(now=0.0, sites=[a_site(1), site], locked_holds=holds))
    (locked,) = (one for one in found if one.kind is TroubleKind.ACCOUNTS_LOCKED)
    assert locked.sentence.startswith("3 deliveries are held of site 2 (account_locked)")
    assert "start gateways and workers again" in locked.next_step


def test_fleet_s_many_pauses_are_shown_as_some_and_their_number() -> None:
    sites = [a_site(number, AccountState.PAUSED) for number in range(1, 101)]
    found = troubles(Evidence(now=0.0, sites=sites))
    assert sum(one.kind is TroubleKind.ACCOUNT_PAUSED for one in found) == 100
    shown = [one for one in shortened(found) if one.kind is TroubleKind.ACCOUNT_PAUSED]
    assert len(shown) == MAX_OF_A_KIND + 1
    assert shown[-1].sentence == "95 more like this: account paused"


def test_site_whose_connector_nothing_sets_up_is_told() -> None:
    """Of the environment's only: an account brings its own settings."""
    sites = [a_site(1), a_site(2, AccountState.ACTIVE)]
    found = troubles(Evidence(now=0.0, sites=sites, connectors=frozenset()))
    wrong = [one.sentence for one in found if one.kind is TroubleKind.MISCONFIGURED]
    assert len(wrong) == 1
    assert "site 1 uses connector woocommerce" in wrong[0]


def test_revoked_account_of_a_site_that_stays_is_told() -> None:
    revoked = a_site(2, AccountState.REVOKED, is_given=False, is_compared=False, revoked_at=60.0)
    gone = a_site(3, AccountState.REVOKED, is_given=False, state=SiteState.REMOVED)
    found = troubles(Evidence(now=120.0, sites=[revoked, gone]))
    assert [one.kind for one in found] == [TroubleKind.NOTHING_RUNS, TroubleKind.ACCOUNT_REVOKED]
    assert found[1].sentence == (
        "the account of site 2 (woocommerce) is revoked since 00:01 UTC: its ratings are kept and"
        " wait"
    )
    assert "`ratings-sync account add 2 --connector woocommerce`" in found[1].next_step


def test_account_all_of_whose_webhooks_are_refused_is_a_trouble() -> None:
    """One that has ended is none: nobody gives it another secret."""
    source = "woocommerce/a"
    refused = DoorSource(
        source,
        accepted_at=None,
        refused_at=9.0,
        refused_result="rejected",
        refused_reason="bad_signature",
        refusals=5,
        refusing_since=5.0,
        refused_ago=1.0,
    )
    deaf = a_site(2, AccountState.ACTIVE, source=source)
    found = troubles(Evidence(now=10.0, sites=[a_site(1), deaf], door=[refused]))
    (trouble,) = (one for one in found if one.kind is TroubleKind.WEBHOOKS_REFUSED)
    assert trouble.sentence.startswith("every webhook of site 2 (woocommerce) is refused")
    assert "account set 2 NAME" in trouble.next_step
    assert trouble.source == source
    ended = a_site(2, AccountState.REVOKED, source=source)
    told = troubles(Evidence(now=10.0, sites=[a_site(1), ended], door=[refused]))
    assert TroubleKind.WEBHOOKS_REFUSED not in [one.kind for one in told]


def test_refusal_of_wix_names_the_site_that_was_asked_for() -> None:
    look = RemoteLook("Wix", "the token endpoint does not accept us", is_refused=True, site=7)
    found = troubles(Evidence(now=0.0, sites=[a_site(7)], remotes=[look]))
    (refused,) = (one for one in found if one.kind is TroubleKind.REMOTE_REFUSES)
    assert refused.sentence.startswith("Wix refuses our credentials for site 7: ")
    assert refused.next_step.startswith("is the app still installed there?")
