"""``ratings-sync onboard pairs``: what the catalogues propose, confirmed or refused in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from sync_worker.cli.options import (
    JSON,
    NUMBER,
    PAGE_AFTER,
    PAGE_LIMIT,
    SITE,
    actor,
    the_site,
    whoever,
)
from sync_worker.cli.output import document_of, print_json, print_problems, say
from sync_worker.core.outside_words import for_people
from sync_worker.core.values import Site
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.files.proposals import ALL_WAYS, By
from sync_worker.services.onboarding.products import Products
from sync_worker.services.sites.mapping import Maps, mapped
from sync_worker.wiring import wiring
from sync_worker.wiring.sweeps import NoBell


@click.command(epilog="Example: ratings-sync onboard pairs --site 7 --confirm --by sku")
@SITE
@click.option("--confirm", is_flag=True, help="Map all open proposals, or those by --by.")
@click.option("--by", "ways", type=click.Choice(ALL_WAYS), multiple=True, help="Only these.")
@click.option(
    "--refuse", "refused", type=NUMBER, multiple=True, help="This pair is wrong, for good."
)
@PAGE_AFTER
@PAGE_LIMIT
@JSON
def pairs(
    site_name: str | None,
    confirm: bool,
    ways: Sequence[By],
    refused: tuple[int, ...],
    after: int,
    limit: int,
    as_json: bool,
) -> None:
    """Pairs of things that the catalogues of both sides propose; nothing is mapped without a yes.

    Status 1 if a confirmed pair could not be mapped.
    """
    site, admin = the_site(site_name), wiring().admin
    if refused:
        count = Maps(admin, _products()).refuse(whoever(), site.id, refused)
        _tell_refused(count, as_json=as_json)
    elif confirm:
        _confirm(site, ways or ALL_WAYS, as_json=as_json)
    else:
        found = admin.proposals.open(site.id, after, limit)
        _show([pair for pair in found if pair.way in (ways or ALL_WAYS)], as_json=as_json)


def _tell_refused(count: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"refused": count})
        return
    click.echo(f"{count} refused; they are not proposed again")


def _products() -> Products:
    return Products(wiring().admin, wiring().remotes.catalogues, NoBell())


def _confirm(site: Site, ways: Sequence[By], *, as_json: bool) -> None:
    done, wrong = _products().confirm(site, ways, actor())
    if as_json:
        # ``not_mapped``: the older name of ``refused``.
        print_json({**document_of(mapped(done, wrong)), "not_mapped": wrong})
    else:
        click.echo(f"{done.added} mapped; {len(done.released)} held deliveries are on their way")
        print_problems(wrong)
    raise SystemExit(1 if wrong else 0)


def _show(found: Sequence[ProposedPair], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(pair) for pair in found])
        return
    for pair in found:
        outside = f"{pair.external.entity_id} {pair.external_title}".rstrip()
        line = f"{pair.id:>7}  {pair.way:<5} {pair.wix.entity_id} {pair.title} ↔ {outside}"
        say(for_people(line))
    if not found:
        click.echo("nothing is proposed: ratings-sync onboard again catalogues, then onboard run")
