"""``ratings-sync doctor``: each check on its own line, with what is wrong and the next step."""

from __future__ import annotations

from collections.abc import Iterable

import click

from sync_worker.cli.options import JSON, SITE
from sync_worker.cli.output import print_json, say
from sync_worker.cli.review_probe import probe_reviews
from sync_worker.doctor.check import Check
from sync_worker.doctor.doctor import Doctor
from sync_worker.wiring import wiring

SIGNS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "bad": ("✗", "red"), "skipped": ("–", None)}


@click.command()
@click.option(
    "--offline", is_flag=True, help="Ask neither Wix, nor the external systems, nor the gateway."
)
@click.option(
    "--instance",
    "instance_id",
    metavar="ID",
    help="Also this Wix app instance, before a site is added.",
)
@SITE
@click.option(
    "--probe-reviews",
    "product_id",
    metavar="PRODUCT_ID",
    help="Find out what Wix leaves open about its Reviews, on this test product of the site.",
)
@click.option(
    "--organic",
    "organic_id",
    metavar="REVIEW_ID",
    help="With --probe-reviews: can this visitor's review be updated? Nothing of it changes.",
)
@click.option(
    "--allow-writes",
    is_flag=True,
    help="With --probe-reviews: a contact and reviews are made, and deleted at the end.",
)
@JSON
def doctor(
    offline: bool,
    instance_id: str | None,
    site_name: str | None,
    product_id: str | None,
    organic_id: str | None,
    allow_writes: bool,
    as_json: bool,
) -> None:
    """Check settings, database, clocks, Redis, keys, Wix, connectors and gateway; status 1 if
    something is wrong.

    \b
    Example: ratings-sync doctor --offline
    """
    if product_id is not None:
        probe_reviews(site_name, product_id, organic_id, allow_writes=allow_writes, as_json=as_json)
        return
    if allow_writes or organic_id is not None:
        raise click.UsageError("--allow-writes and --organic mean nothing without --probe-reviews")
    checks = Doctor(wiring(), offline, instance_id).checks()
    if as_json:
        done = list(checks)
        print_json({"good": is_good(done), "checks": done})
    else:
        done = [print_check(check) for check in checks]
    raise SystemExit(0 if is_good(done) else 1)


def is_good(checks: Iterable[Check]) -> bool:
    return all(check.verdict != "bad" for check in checks)


def print_check(check: Check) -> Check:
    sign, colour = SIGNS[check.verdict]
    say(f"{sign} {check.name}: {check.what}", fg=colour)
    if check.next_step:
        say(f"    → {check.next_step}")
    return check
