"""``ratings-sync account probe``: the doctor's live checks, for one account."""

from __future__ import annotations

import dataclasses

import click

from sync_worker.cli.account.options import ACCOUNT, the_account
from sync_worker.cli.doctor import is_good, print_check
from sync_worker.cli.options import JSON, actor
from sync_worker.cli.output import print_json
from sync_worker.doctor.live.accounts import account_checks
from sync_worker.services.accounts.checks import refuse_revoked
from sync_worker.services.accounts.standing import their_sites
from sync_worker.wiring import wiring


@click.command("probe", epilog="Example: ratings-sync account probe 7 --json")
@ACCOUNT
@JSON
def probe(name: str, as_json: bool) -> None:
    """Ask the external system and Wix for this account, and say it.

    Nothing is written there. What was found is kept for `account show`; status 1 if something is
    wrong.
    """
    found = the_account(name)
    refuse_revoked(found)
    site = their_sites(wiring().admin.site_pages, [found])[found.site_id]
    asked = account_checks(wiring(), found, site)
    checks = list(asked) if as_json else [print_check(check) for check in asked]
    said = {"good": is_good(checks), "checks": [dataclasses.asdict(check) for check in checks]}
    wiring().accounts.note_probe(found, said, actor())
    if as_json:
        print_json({"account": found.public_id, **said})
    raise SystemExit(0 if said["good"] else 1)
