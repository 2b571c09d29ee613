"""``ratings-sync doctor``: each check on its own line, with what is wrong and the next step."""

from __future__ import annotations

from collections.abc import Iterable

import click

from sync_worker.cli.options import JSON
from sync_worker.cli.output import print_json, say
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
@JSON
def doctor(offline: bool, instance_id: str | None, as_json: bool) -> None:
    """Check settings, database, clocks, Redis, keys, Wix, connectors and gateway; status 1 if
    something is wrong.

    \b
    Example: ratings-sync doctor --offline
    """
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
