"""Sites from the command line: connect them, set their policies, stop them and go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Sequence
from typing import Any

import click

from sync_worker.cli.options import JSON, PAGE_AFTER, SITE, WHY, WIX_API, actor, whoever
from sync_worker.cli.output import document_of, field_words, print_json, say
from sync_worker.cli.site_history import site_history
from sync_worker.cli.site_rest import pause, resume
from sync_worker.cli.site_set import change_wix_api, preview_policies, take_over
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import AccountState, Policy, Side, Site, SiteState, WixKind
from sync_worker.ledger.administration.site_pages import SiteFilter, SiteRow
from sync_worker.ledger.console.maps import SqlMaps
from sync_worker.manifest.default_field import default_field
from sync_worker.manifest.manifest import Manifest
from sync_worker.services.accounts.environment import refuse_shop_of_account
from sync_worker.services.accounts.standing import site_account_words
from sync_worker.services.sites.policies import Policies
from sync_worker.services.sites.sites import Sites, pause_words
from sync_worker.wiring import wiring
from sync_worker.wiring.secret_keys import locked_sites


@click.group()
def site() -> None:
    """Connect sites and set their policies.

    \b
    Example: ratings-sync site list
    """


site.add_command(site_history)
site.add_command(pause)
site.add_command(resume)


@site.command("add")
@click.argument("instance_id", required=False)
@click.option("--connector", required=True, help="Id of a manifest that CONNECTORS names.")
@click.option(
    "--policy",
    "-p",
    "policies",
    multiple=True,
    metavar="NAME=CHOICE",
    help="May be given several times.",
)
@WIX_API
def add_site(
    instance_id: str | None, connector: str, policies: Sequence[str], wix_api: str | None
) -> None:
    """Connect a Wix site (its app instance id) with a connector; maps `overall` to the connector's
    main value. Without an id: the site of WIX_SITE_ID.

    \b
    Example: ratings-sync site add 11111111-0000-4000-8000-000000000001 --connector own-service -p
    deletes=ignore
    """
    instance_id = instance_id or wiring().settings.wix_site_id
    if not instance_id:
        raise click.UsageError("name the app instance id of the site, or set WIX_SITE_ID")
    manifest = _manifest(connector)
    chosen = manifest.first_policies | _policies(policies)
    wiring().may_begin_ledger()
    refuse_shop_of_account(wiring().admin, wiring().connectors.code_of(connector))
    kind = WixKind(wix_api) if wix_api else wiring().settings.first_wix_api
    fields = [default_field(manifest, kind)]
    added, released = wiring().admin.sites.add(instance_id, connector, fields, chosen, kind)
    click.echo(f"site {added.id}: Wix instance {instance_id} ↔ {connector}, wix_api={kind}")
    for field in added.fields:
        click.echo(f"  {field_words(field)}")
    if manifest.first_policies and not added.policy.may_write(Side.EXTERNAL):
        click.echo(
            "  nothing is written to the external system yet; `ratings-sync site policy"
            " direction=both` changes it"
        )
    if released:
        click.echo(f"  {len(released)} deliveries had waited for this site and are on their way")


def _manifest(connector: str) -> Manifest:
    """Of the shop whose settings the environment holds. Raises Misconfigured."""
    if connector not in wiring().connectors.names:
        known = ", ".join(sorted(wiring().connectors.names))
        raise Misconfigured(f"there is no connector {connector!r}; CONNECTORS names: {known}")
    return wiring().connectors.manifest(connector)


@site.command("list")
@click.option(
    "--state",
    type=click.Choice([str(state) for state in SiteState]),
    help="Only those that stand so.",
)
@click.option("--connector", metavar="NAME", help="Only those of this connector.")
@click.option(
    "--account-state",
    type=click.Choice([str(state) for state in AccountState]),
    help="Only those with such an account.",
)
@PAGE_AFTER
@click.option(
    "--limit", type=click.IntRange(1, 500), metavar="N", help="So many at once; without it all."
)
@JSON
def list_sites(
    state: str | None,
    connector: str | None,
    account_state: str | None,
    after: int,
    limit: int | None,
    as_json: bool,
) -> None:
    """Every site with its state, account, counts, and policies as far as they differ from the
    defaults.

    \b
    Example: ratings-sync site list --state paused --limit 50 --json
    """
    which = SiteFilter(
        SiteState(state) if state else None,
        connector,
        AccountState(account_state) if account_state else None,
    )
    sites = Sites(wiring().admin)
    rows = sites.rows(whoever(), which, after, limit)
    if as_json:
        found = list(rows)
        summaries = sites.summaries(whoever(), [row.site.id for row in found])
        told = [{**site_document(row), "summary": summaries.get(row.site.id)} for row in found]
        print_json(told)
        return
    shown, locked = 0, locked_sites(wiring().settings, wiring().admin.sealed)
    for row in rows:
        click.echo(_site_line(row, locked))
        shown, after = shown + 1, row.site.id
    if shown == limit:
        all_of_them = sites.count(whoever(), which)
        click.echo(f"of {all_of_them} sites; more: --after {after}", err=True)
    if not shown and which == SiteFilter():
        click.echo(
            "no site yet; add one: ratings-sync site add INSTANCE_ID --connector NAME", err=True
        )


def site_document(row: SiteRow) -> dict[str, Any]:
    """A site for programs: what is set for it, and how it stands."""
    known = {field.name: getattr(row.site, field.name) for field in dataclasses.fields(row.site)}
    counts = {"links": row.links, "held": row.held, "waiting": row.waiting}
    return known | {"account": row.account} | counts


def _site_line(row: SiteRow, locked: Container[int]) -> str:
    known = row.site
    ids = f"{known.id}\t{known.state}\t{known.instance_id}\t{known.connector}"
    words = [f"wix_api={known.wix_api}", _differing(known)]
    if not known.has_implicit_account:
        words.append(f"account={site_account_words(known, locked)}")
    words.append(f"links={row.links} held={row.held} waiting={row.waiting}")
    return f"{ids}\t{' '.join(filter(None, words))}"


@site.command("show")
@SITE
@JSON
def show_site(site_name: str | None, as_json: bool) -> None:
    """All that is set for a site: its API of Wix, fields, policies, and what a probe learned there.

    \b
    Example: ratings-sync site show --site 1
    """
    admin = wiring().admin
    found = admin.sites.find(site_name)
    learned = admin.sites.learned(found.id)
    summary = Sites(admin).one(whoever(), found.id)
    pause = summary.pause
    if as_json:
        print_json(
            {
                "site": {**document_of(found), **document_of(summary)},
                "policies": Policies(admin).asked(whoever(), found.id),
                "waiting": SqlMaps(admin.transactions).waiting(found),
                "learned": learned,
                "pause": pause,
            }
        )
        return
    click.echo(f"site {found.id}: {found.connector}, {found.state}")
    if pause is not None:
        say(f"  {pause_words(pause, admin.questions.now())}")
    click.echo(f"  Wix: {found.instance_id}, wix_api={found.wix_api}")
    if not found.has_implicit_account:
        source = found.external_source or "nothing given yet"
        locked = locked_sites(wiring().settings, admin.sealed)
        say(f"  account: {site_account_words(found, locked)}, {source}")
    for field in found.fields:
        click.echo(f"  {field_words(field)}")
    click.echo(f"  policies: {_differing(found) or 'all at their defaults'}")
    for name, said in learned.items():
        say(f"  {name}: {said}")


@site.command("set")
@SITE
@WIX_API
@click.option(
    "--instance",
    "instance_id",
    metavar="ID",
    help="The app is installed now on a site that its owner's API key has opened: its instance id.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def set_site(
    site_name: str | None, wix_api: str | None, instance_id: str | None, yes: bool
) -> None:
    """Change the API of Wix that a site uses; says first what that does, and deletes nothing.

    Links of the old API are set aside with their ids and come back with it; maps stay. Nothing is
    deleted, and no sweep begins, before both sides were compared anew (`ratings-sync reconcile`).

    \b
    Example: ratings-sync site set --wix-api reviews --site 2
    """
    if wix_api is None and instance_id is None:
        raise click.UsageError("say what to set: --wix-api or --instance")
    found = wiring().admin.sites.find(site_name)
    if instance_id is not None:
        found = take_over(found, instance_id)
    if wix_api is not None:
        change_wix_api(found, WixKind(wix_api), yes=yes)


@site.command("policy")
@click.argument("policies", nargs=-1, required=True, metavar="NAME=CHOICE...")
@SITE
@WHY
@click.option("--preview", is_flag=True, help="Say what it would change; change nothing.")
@JSON
def set_policy(
    policies: Sequence[str], site_name: str | None, why: str, preview: bool, as_json: bool
) -> None:
    """Change decisions of a site; without a site of that name nothing changes.

    \b
    Example: ratings-sync site policy unknown_contact=create conflict=wix
    """
    admin = wiring().admin
    found = admin.sites.find(site_name)
    if preview:
        preview_policies(found.id, _policies(policies), as_json=as_json)
        return
    changed = Policies(admin).change(whoever(), found.id, _policies(policies), why)
    if as_json:
        answers = {name: getattr(changed.policy, name) for name in Policy.CHOICES}
        print_json({"site_id": changed.id, "policies": answers})
        return
    click.echo(f"site {changed.id}: {_differing(changed) or 'all policies at their defaults'}")


@site.command("recover")
@SITE
@WHY
def recover(site_name: str | None, why: str) -> None:
    """Work carefully after an older backup of the ledger was restored: nothing is deleted on either
    side.

    The ledger is behind both sides then, and what it misses looks like a deletion. Deliveries are
    processed, deletes are held (`site_recovery`), and a sweep may only look (`reconcile
    --dry-run`), until `ratings-sync site resume`.

    \b
    Example: ratings-sync site recover
    """
    _set_state(site_name, SiteState.RECOVERY, why)


@site.command("remove")
@SITE
@WHY
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(site_name: str | None, why: str, yes: bool) -> None:
    """Stop the work of a site for good, as when its owner removes the app.

    Its mappings, links and history stay for RETENTION_REMOVED_DAYS (30), then everything of it is
    deleted. Until then `ratings-sync site resume --site SITE` brings it back, and so does a new
    installation of the app: a sweep then finds what changed meanwhile, of which nothing is kept
    (`site_removed`). An account of its own ends now, and has to be given again.

    \b
    Example: ratings-sync site remove --site 2 --yes
    """
    found = wiring().admin.sites.find(site_name)
    if not yes:
        click.confirm(
            f"Stop site {found.id} ({found.instance_id} ↔ {found.connector})?", abort=True
        )
    _set_state(str(found.id), SiteState.REMOVED, why)


def _set_state(site_name: str | None, state: SiteState, why: str) -> None:
    admin = wiring().admin
    found = admin.sites.find(site_name)
    released = admin.sites.set_state(found.id, state, actor(), why)
    now = admin.sites.find(str(found.id)).state
    click.echo(
        f"site {found.id}: {now}" + (f", {len(released)} deliveries released" if released else "")
    )


def _policies(pairs: Iterable[str]) -> dict[str, str]:
    policies = {}
    for pair in pairs:
        name, equals, choice = pair.partition("=")
        if not equals:
            raise Misconfigured(f"{pair!r} is not NAME=CHOICE")
        policies[name.strip()] = choice.strip()
    return policies


def _differing(site: Site) -> str:
    policy, default = site.policy, type(site.policy)()
    names = [*type(policy).CHOICES, "same_id_namespace", "same_id_group"]
    differing = (name for name in names if getattr(policy, name) != getattr(default, name))
    return " ".join(f"{name}={getattr(policy, name)}" for name in differing)
