"""Checks of the ledger's database: its schema, its workers, its clock, and the work it tells of."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sync_worker.core.values import Side
from sync_worker.doctor.check import Check, bad, clock, note, ok
from sync_worker.intake.earlier_addresses import PEOPLE_JOINED
from sync_worker.ledger.accounts.site_sides import failing_accounts
from sync_worker.ledger.administration.site_faults import fault_words
from sync_worker.ledger.statements.clock import seen_times
from sync_worker.services.account_troubles import KEY_STEP
from sync_worker.wiring import Wiring
from sync_worker.wiring.accounts.own_shops import OwnShops
from sync_worker.wiring.secret_keys import locked

WRITE_STEP = {
    "SQLite": "is the disk full, or the file or its folder read-only for this user? webhooks are"
    " answered 503 until then",
    "PostgreSQL": "is the disk full, or DATABASE_URL's server a standby? webhooks are answered 503"
    " until then; no process has to be started again",
}
SHOWN_SECONDS = 60.0
SHOWN_IDS = 10


def check_sql(wiring: Wiring) -> Iterator[Check]:
    settings = wiring.settings
    engine = wiring.admin.engine  # opens it and brings it to the newest schema
    kind = "SQLite" if settings.is_sqlite else "PostgreSQL"
    reason = wiring.databases.up_check.reason()
    if reason:
        yield bad("sql", f"{kind} answers, but cannot be written: {reason}", WRITE_STEP[kind])
    else:
        yield ok("sql", f"{kind} can be written and has the newest schema")
    if settings.is_sqlite and settings.budget_processes > 1:
        yield bad(
            "sql workers",
            "SQLite serves one worker process, and BUDGET_PROCESSES is"
            f" {settings.budget_processes}",
            "set DATABASE_URL to a PostgreSQL, or run one worker and BUDGET_PROCESSES=1",
        )
    with engine.connect() as connection:
        times = seen_times(connection)
    yield clock("clock of the database", times.raw - time.time())
    if times.seconds_added > SHOWN_SECONDS:
        yield note(
            "clock of the ledger",
            f"goes on {times.seconds_added:.0f} s ahead of the database's, which was set back",
            "nothing is late or lost; times that are shown are ahead by as much",
        )
    if times.seconds_added < -SHOWN_SECONDS:
        yield note(
            "clock of the ledger",
            f"goes on {-times.seconds_added:.0f} s behind the database's, which jumped ahead",
            "nothing is given up or forgotten for it; set the database's clock right if it is not",
        )


def check_guests(wiring: Wiring) -> Iterator[Check]:
    """Once, for sites from before there was a choice: what a guest may change by now."""
    for site in wiring.admin.sites.not_asked_about_guests():
        manifest = wiring.connectors.known.get(site.connector)
        # The system does not say who is a guest: nothing changes for this site.
        if manifest is None or not manifest.capabilities.says_verified:
            continue
        yield note(
            f"guests of {site.connector}",
            "a member's rating that an unverified guest changes is held now (guest_change)",
            f"`ratings-sync site policy guest_may_change=hold --site {site.id}` keeps that and ends"
            " this note; guest_may_change=allow lets guests change ratings, as before",
        )


def check_site_work(wiring: Wiring) -> Iterator[Check]:
    """Whether sweeps, polls and hook checks of some site fail."""
    faults = wiring.databases.figures().site_faults
    for fault in faults:
        yield bad(
            f"{fault.work} of {fault.source}",
            f"fails {fault_words(fault)}",
            f"the line {fault.work}_failed in the worker's log says more; nobody has to start it"
            " again once the cause is gone",
        )
    if not faults:
        yield ok("site work", "no sweep, poll or hook check fails")


def check_accounts(wiring: Wiring) -> Iterator[Check]:
    """Accounts that a remote has refused: their ratings wait."""
    with wiring.admin.engine.connect() as connection:
        found = failing_accounts(connection)
    if not found:
        yield ok("accounts", "no remote refuses our credentials")
    if len(found) > SHOWN_IDS:
        yield bad(
            "accounts, further ones",
            f"{len(found) - SHOWN_IDS} more are refused",
            "`ratings-sync status --json` names all",
        )
    for account in found[:SHOWN_IDS]:
        where = "Wix" if account.side == Side.WIX else f"connector {account.connector}"
        yield bad(
            f"account on {account.side} of site {account.site_id}",
            f"{where} refuses us since {account.since:%Y-%m-%d %H:%M:%S} UTC: {account.reason}",
            "correct its credentials or permissions; a probe each minute then lets all that waits"
            " go on by itself",
        )


def check_keys(wiring: Wiring) -> Iterator[Check]:
    """Whether the keys that we have open what accounts gave. Nothing is said without accounts."""
    in_use = wiring.admin.sealed.keys_in_use()
    if not in_use:
        return
    shut = locked(wiring.settings, in_use)
    if shut.accounts:
        yield bad("keys of accounts", shut.line, KEY_STEP)
        return
    yield ok("keys of accounts", f"SECRETS_KEY opens what {sum(in_use.values())} accounts gave")


def check_own_shops(wiring: Wiring) -> Iterator[Check]:
    """Whether sites still have their shop of the environment, and no other site has it, too.

    Nothing is said where all is well, or nobody has one.
    """
    for fault in OwnShops(wiring.connectors, wiring.admin.transactions).faults():
        yield bad(f"shop of {fault.source}", fault.line, fault.next_step)


def check_people(wiring: Wiring) -> Iterator[Check]:
    """People whom the rule of earlier versions took for one."""
    joined = wiring.admin.questions.held_by_site(PEOPLE_JOINED)
    if not joined:
        yield ok("people", "nobody is on file as somebody else")
    for site_id, inbox_ids in joined.items():
        shown = ", ".join(map(str, inbox_ids[:SHOWN_IDS]))
        more = len(inbox_ids) - SHOWN_IDS
        shown += f" and {more} more" * (more > 0)
        yield bad(
            f"people of site {site_id}",
            "an earlier version took two people for one, whose ratings may stand under one contact;"
            f" held: {shown}",
            "`ratings-sync held show` names them; `map contacts import` says whose the address is",
        )
