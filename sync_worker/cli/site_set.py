"""What ``ratings-sync site set`` and ``site policy`` would change, said before it is done."""

from __future__ import annotations

import time
from collections.abc import Mapping

import click

from sync_worker.cli.asking import agree
from sync_worker.cli.options import actor, whoever
from sync_worker.cli.output import field_words, print_json
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Site, SiteState, WixKind
from sync_worker.ledger.administration.wix_change import Changed, ChangePlan, refuse_unsettled
from sync_worker.ledger.site_cache import SITE_CACHE_SECONDS
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.waiting import shortly, wait_for
from sync_worker.services.sites.policies import Policies
from sync_worker.wiring import wiring

# Every process has heard of the pause by then.
HEARD_SECONDS = SITE_CACHE_SECONDS * 1.5
QUIET_SECONDS = 40.0  # a link is in hand for less
PAUSE_SECONDS = 0.5


def change_wix_api(found: Site, kind: WixKind, *, yes: bool) -> None:
    """Change the API of Wix that a site uses. Raises Misconfigured, click.Abort."""
    if found.wix_api is kind:
        click.echo(f"site {found.id} uses wix_api={kind} already; nothing is changed")
        return
    _say_plan(found, kind)
    agree(f"Change site {found.id} to wix_api={kind}?", "--yes", is_given=yes)
    done = _changed(found, kind)
    click.echo(
        f"site {done.site.id}: wix_api={done.site.wix_api}, {done.site.state};"
        f" {_links(done.links)} set aside, {done.returned} brought back; deliveries of the other"
        f" API that ended (other_wix_api): {done.deliveries}"
    )
    for field in done.site.fields:
        click.echo(f"  {field_words(field)}")
    click.echo(f"next: ratings-sync reconcile --site {found.id} --dry-run")


def preview_policies(site_id: int, answers: Mapping[str, str], *, as_json: bool) -> None:
    """What these answers would change, and how much is held for it now."""
    found = Policies(wiring().admin).preview(whoever(), site_id, answers)
    if as_json:
        print_json(found)
        return
    if not found.changes:
        click.echo(f"site {site_id}: nothing would change")
    for change in found.changes:
        more = "+" if change.is_more_held else ""
        click.echo(f"{change.name}: {change.before} would become {change.after}")
        click.echo(f"  {change.question} {change.words_after}")
        click.echo(f"  held for it now: {change.held}{more}; that stays held until it is released")


def take_over(found: Site, instance_id: str) -> Site:
    """Let the app take over a site that its owner's key has opened. Raises SyncError."""
    if found.instance_id == instance_id:
        click.echo(f"site {found.id} is of this instance already")
        return found
    is_of = shortly(wiring().remotes.wix_api(instance_id).site_id, time.sleep)
    if is_of != found.instance_id:
        raise Misconfigured(
            f"app instance {instance_id} is on the Wix site {is_of or 'of no name'}, and site"
            f" {found.id} is {found.instance_id}: maps of one are wrong on the other; add it with"
            " `ratings-sync site add`"
        )
    taken, released = wiring().admin.sites.take_over(found.id, instance_id)
    click.echo(
        f"site {taken.id}: Wix instance {instance_id} ↔ {taken.connector}; maps and links stay"
    )
    if released:
        click.echo(f"  {len(released)} deliveries had waited for it and are on their way")
    return taken


def _say_plan(found: Site, kind: WixKind) -> None:
    """What the change does, in words. Raises Misconfigured where it cannot be made now."""
    plan = wiring().admin.wix_change.plan(found, kind)
    refuse_unsettled(found, plan)
    click.echo(
        f"site {found.id} ({found.connector}) changes from wix_api={found.wix_api} to"
        f" wix_api={kind}:\n"
        "  nothing is written or deleted on Wix or outside, and all maps stay;\n"
        f"{_effects(plan, found.wix_api)}"
        "  the site rests for some seconds meanwhile;\n"
        "  then no delete crosses and no sweep begins until you have seen the new baseline and\n"
        f"  said yes to it: ratings-sync reconcile --site {found.id}"
    )


def _effects(plan: ChangePlan, before: WixKind) -> str:
    """What becomes of links and deliveries, a line each; of nothing, no word."""
    lines = []
    if plan.links == 1:
        lines.append("1 link is set aside with its ids, and comes back when you change back")
    elif plan.links:
        lines.append(
            f"{plan.links} links are set aside with their ids, and come back when you change back"
        )
    if plan.returning:
        lines.append(f"set aside before, and back now: {_links(plan.returning)}")
    if plan.deliveries:
        lines.append(
            f"deliveries of {before} that wait or are held, and end (other_wix_api):"
            f" {plan.deliveries}"
        )
    return "".join(f"  {line};\n" for line in lines)


def _links(count: int) -> str:
    return "1 link" if count == 1 else f"{count} links"


def _changed(found: Site, kind: WixKind) -> Changed:
    """The change itself, while the site rests."""
    admin = wiring().admin
    manifest = wiring().connectors.known.get(found.connector)
    if manifest is None:
        raise Misconfigured(f"CONNECTORS does not name {found.connector}, which the site uses")
    fields = [default_field(manifest, kind)]
    after, why = found.state, f"for the change to wix_api={kind}"
    if found.is_at_work:
        after = SiteState.RECOVERY
        admin.sites.set_state(found.id, SiteState.PAUSED, actor(), why)
    try:
        time.sleep(HEARD_SECONDS)
        wait_for(
            lambda: admin.wix_change.is_quiet(found.id) or None,
            QUIET_SECONDS,
            pause_seconds=PAUSE_SECONDS,
        )
        done = admin.wix_change.change(found.id, kind, fields, after)
    except BaseException:
        # As it was, but for whoever paused it meanwhile.
        if found.is_at_work:
            admin.sites.set_state(found.id, found.state, actor(), why)
        raise
    if found.is_at_work:
        admin.sites.set_state(found.id, after, actor(), why)
    return done
