"""``ratings-sync setup``: the guided way from settings to a site that is ready. Every step is a
command of its own too.

What is done already is seen from what exists, so a setup that was left goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from sync_worker.cli.doctor import is_good, print_check
from sync_worker.cli.interrupts import STATUS, is_interrupt
from sync_worker.cli.map.contact_proposal import (
    DOUBTFUL_CONTACTS,
    external_addresses,
    match_contacts,
    save_doubtful,
)
from sync_worker.cli.map.entity_proposal import (
    describe,
    doubtful,
    live_catalogue,
    save_entity_proposal,
)
from sync_worker.cli.options import EXISTING_FILE, JSON, WIX_API, WIX_KINDS, actor
from sync_worker.cli.output import field_words, print_json, print_problems, say
from sync_worker.core.errors import Misconfigured, NoLedger, SyncError
from sync_worker.core.values import Side, Site, UnknownEntity, WixKind
from sync_worker.doctor.doctor import Doctor
from sync_worker.files.mapping_files import read_entities, read_fields
from sync_worker.files.proposals import EntityProposal, propose_entities, read_catalogue
from sync_worker.files.rows import BadFile
from sync_worker.ledger.administration.mappings import ImportRefused, MappedCounts
from sync_worker.manifest.default_field import default_field
from sync_worker.services.accounts.environment import refuse_shop_of_account
from sync_worker.wiring import wiring

NEXT = "ratings-sync reconcile --dry-run"
PROPOSED = Path("entities.csv")


@dataclass(frozen=True, slots=True)
class Step:
    """``command``: the same without questions."""

    name: str
    is_done: bool
    what: str
    command: str


def steps() -> list[Step]:
    """Where the setup stands, by what exists."""
    sites, mapped, not_begun = _of_ledger()
    checks = list(Doctor(wiring(), offline=True).checks_before_start())
    wrong = [
        check.name for check in checks if check.verdict == "bad" and check.name not in not_begun
    ]
    connectors = ", ".join(wiring().manifests) if "connectors" not in wrong else ""
    site = sites[0] if len(sites) == 1 else None
    fields = [field for known in sites for field in known.fields]
    broken = [field.attribute for field in fields if field.violations()]
    shown = ", ".join(f"{known.id} ({known.connector})" for known in sites) or "none yet"
    by_id = site is not None and site.policy.unknown_entity == UnknownEntity.SAME_ID
    return [
        Step(
            "settings",
            not wrong,
            "wrong: " + ", ".join(wrong) if wrong else "good",
            "ratings-sync doctor --offline",
        ),
        Step("connector", bool(connectors), connectors or "none", "set CONNECTORS in .env"),
        Step("site", bool(sites), shown, "ratings-sync site add INSTANCE_ID --connector CONNECTOR"),
        Step(
            "entities",
            bool(mapped.entities) or by_id,
            f"{mapped.entities} mapped" + (", others by equal id" if by_id else ""),
            "ratings-sync map entities propose --wix A.csv --external B.csv --out FILE; map"
            " entities import FILE",
        ),
        Step(
            "contacts",
            bool(sites),
            f"{mapped.contacts} mapped; others are looked up",
            "ratings-sync map contacts match",
        ),
        Step(
            "fields",
            bool(sites) and not broken,
            ", ".join(field.attribute for field in fields) or "none",
            "ratings-sync map fields list; map fields check FILE; map fields import FILE",
        ),
    ]


def _of_ledger() -> tuple[Sequence[Site], MappedCounts, tuple[str, ...]]:
    """Sites, what is mapped, and the checks that fail only as the setup has not begun."""
    try:
        admin = wiring().admin
    except NoLedger:
        return [], MappedCounts(0, 0), ("sql",)
    return admin.sites.all(), admin.mappings.counts(), ()


@click.command()
@click.option("--status", is_flag=True, help="Ask nothing: only show which steps are done.")
@WIX_API
@JSON
def setup(status: bool, wix_api: str | None, as_json: bool) -> None:
    """Set a site up, step by step: settings, connector, site, entities, contacts, fields. May be
    left and resumed.

    \b
    Example: ratings-sync setup
    Example: ratings-sync setup --status --json
    """
    if as_json or status:
        found = steps()
        if as_json:
            print_json({"done": all(step.is_done for step in found), "steps": found, "next": NEXT})
        else:
            _print_steps(found)
        raise SystemExit(0 if all(step.is_done for step in found) else 1)
    wiring().may_begin_ledger()
    try:
        _guide(wix_api)
    except (click.Abort, KeyboardInterrupt) as end:
        click.echo("\nleft; `ratings-sync setup` goes on from here", err=True)
        raise SystemExit(STATUS if is_interrupt(end) else 1) from None


def _print_steps(found: list[Step]) -> None:
    for step in found:
        sign, colour = ("✓", "green") if step.is_done else ("–", None)
        say(f"{sign} {step.name}: {step.what}", fg=colour)
        if not step.is_done:
            click.echo(f"    → {step.command}")


def _guide(wix_api: str | None) -> None:
    _head("1 of 6: settings")
    if not is_good(
        [print_check(check) for check in Doctor(wiring(), offline=True).checks_before_start()]
    ):
        raise Misconfigured(
            "put right what is marked, then run `ratings-sync setup` again; it goes on from here"
        )
    _head("2 of 6: connector")
    connector = _connector()
    _head("3 of 6: site")
    site = _site(connector, wix_api)
    for number, (name, step) in enumerate(
        (("entities", _entities), ("contacts", _contacts), ("fields", _fields)), start=4
    ):
        _head(f"{number} of 6: {name}")
        step(wiring().admin.sites.find(str(site.id)))
    click.echo(f"\nReady. Compare both sides without writing anything: {NEXT}")
    click.echo("Then start everything: ratings-sync up")


def _head(text: str) -> None:
    click.secho(f"\n{text}", bold=True)


def _connector() -> str:
    names = sorted(wiring().manifests)
    if len(names) == 1:
        click.echo(f"{names[0]} (the only one in CONNECTORS)")
        return names[0]
    return str(
        click.prompt(
            "Which connector is the external system of this site?", type=click.Choice(names)
        )
    )


def _site(connector: str, wix_api: str | None) -> Site:
    """The connector's site, or a new one after a live look at Wix and at the external system."""
    for site in wiring().admin.sites.all():
        if site.connector == connector:
            shown = f"{site.instance_id} ({site.wix_api})"
            click.echo(f"site {site.id}: Wix instance {shown} ↔ {connector}")
            _check_live(None)
            return site
    instance_id = _instance_id()
    kind = _wix_api(wix_api)
    _check_live(instance_id)
    refuse_shop_of_account(wiring().admin, wiring().connectors.code_of(connector))
    field = default_field(wiring().manifests[connector], kind)
    site, released = wiring().admin.sites.add(instance_id, connector, [field], wix_api=kind)
    click.echo(
        f"site {site.id} is added, wix_api={kind}"
        + (f"; {len(released)} deliveries had waited for it" if released else "")
    )
    return site


def _instance_id() -> str:
    """Of the site: asked for, unless its owner's key is all that we have."""
    settings = wiring().settings
    if not settings.has_app:
        click.echo(f"Wix site {settings.wix_site_id}, by its owner's API key")
        return settings.wix_site_id
    return str(click.prompt("App instance id of the Wix site")).strip()


def _wix_api(chosen: str | None) -> WixKind:
    """Which API of Wix a new site uses: asked where both may be meant."""
    first = wiring().settings.first_wix_api
    if chosen is None and first is WixKind.REVIEWS:
        click.echo(
            "reviews: Wix Reviews, published and open to every app; ratings: the Ratings API, which"
            " Wix has not published."
        )
        chosen = click.prompt("Its ratings are in", type=WIX_KINDS, default=str(first))
    return WixKind(chosen or first)


def _check_live(instance_id: str | None) -> None:
    doctor = Doctor(wiring(), instance_id=instance_id)
    checks = [print_check(check) for check in doctor.live_checks()]
    if not is_good(checks) and not click.confirm(
        "Something is wrong. Go on all the same?", default=False
    ):
        raise click.Abort


def _entities(site: Site) -> None:
    count = len(wiring().admin.mappings.entities(site.id))
    if count:
        click.echo(f"{count} are mapped; more: ratings-sync map entities import FILE")
        return
    ways = ("live", "catalogues", "file", "same-id", "later")
    click.echo(
        "live: both catalogues are read now and paired by id, SKU or name; catalogues: the same of"
        " two exports; file: a mapping file of your own;"
    )
    click.echo(
        "same-id: both systems use the same ids; later: unmapped things are held until you map"
        " them."
    )
    match click.prompt(
        "How are the rated things mapped?", type=click.Choice(ways), default="later"
    ):
        case "live":
            _propose_live(site)
        case "catalogues":
            _propose(site)
        case "file":
            _save_file(click.prompt("File", type=EXISTING_FILE), site)
        case "same-id":
            wiring().admin.sites.set_policy(site.id, {"unknown_entity": "same_id"}, actor())
            click.echo(
                f"equal ids will be mapped by themselves, in {site.policy.same_id_namespace}/",
                nl=False,
            )
            click.echo(site.policy.same_id_group)
        case _:
            click.echo("later: ratings-sync map entities import FILE; it releases what was held")


def _propose(site: Site) -> None:
    try:
        wix = read_catalogue(click.prompt("Catalogue of the Wix site (CSV)", type=EXISTING_FILE))
        external = read_catalogue(
            click.prompt("Catalogue of the external system (CSV)", type=EXISTING_FILE)
        )
    except BadFile as bad:
        print_problems(bad.problems)
        click.echo("nothing is mapped yet; mend the file, then: ratings-sync setup")
        return
    _offer(site, propose_entities(wix, external))


def _propose_live(site: Site) -> None:
    try:
        wix, external = (live_catalogue(site, side) for side in (Side.WIX, Side.EXTERNAL))
    except SyncError as error:
        say(f"not now: {error}; later: ratings-sync map entities propose", err=True, fg="red")
        return
    _offer(site, propose_entities(wix, external))


def _offer(site: Site, proposal: EntityProposal) -> None:
    """Show what fits, and map it after a yes."""
    save_entity_proposal(
        proposal, site.policy.same_id_namespace, site.policy.same_id_group, PROPOSED
    )
    click.echo(f"{describe(proposal)}: see {PROPOSED} and {doubtful(PROPOSED)}")
    if proposal.pairs and click.confirm(f"Map the {len(proposal.pairs)} pairs?", default=True):
        _save_file(PROPOSED, site)


def _save_file(file: Path, site: Site) -> None:
    admin = wiring().admin.mappings

    def save() -> str:
        done = admin.import_entities(site, read_entities(file).rows, actor())
        return f"{done.added} added"

    _saved(save)


def _saved(save: Callable[[], str]) -> None:
    try:
        click.echo(save())
    except BadFile as bad:
        print_problems(bad.problems)
    except ImportRefused as refused:
        print_problems(
            [f"row {position + 1}: {why}" for position, why in sorted(refused.problems.items())]
        )


def _contacts(site: Site) -> None:
    count = len(wiring().admin.mappings.contacts(site.id))
    click.echo(f"{count} are mapped; whoever is not is looked up by e-mail when needed.")
    if count or not click.confirm("Look up everybody in the external listing now?", default=True):
        return
    try:
        proposal, _ = match_contacts(site, external_addresses(site))
    except SyncError as error:
        say(f"not now: {error}; later: ratings-sync map contacts match", err=True, fg="red")
        return
    done = wiring().admin.mappings.import_contacts(site, proposal.certain, actor())
    save_doubtful(proposal, DOUBTFUL_CONTACTS)
    where = (
        f", {len(proposal.doubtful)} doubtful in {DOUBTFUL_CONTACTS}" if proposal.doubtful else ""
    )
    click.echo(f"{done.added} contacts mapped{where}")


def _fields(site: Site) -> None:
    for field in site.fields:
        click.echo(field_words(field))
        print_problems(field.violations())
    if click.confirm("Are these fields and scales right?", default=True):
        return
    file = click.prompt("Mapping file of the fields", type=EXISTING_FILE)
    admin = wiring().admin.fields

    def save() -> str:
        done = admin.import_fields(site, read_fields(file).rows, actor())
        return f"{done.changed} changed"

    _saved(save)
