"""``doctor --probe-reviews``: finds out what Wix leaves open about its Reviews."""

from __future__ import annotations

import time

import click

from sync_worker.cli.output import print_json, say
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Site, SiteState, UnknownEntity, WixKind
from sync_worker.doctor.reviews.probe import CannotProbe, ReviewProbe
from sync_worker.doctor.reviews.probe_calls import ProbeReviews
from sync_worker.wiring import wiring


def probe_reviews(
    site_name: str | None,
    product_id: str,
    organic_id: str | None,
    *,
    allow_writes: bool,
    as_json: bool,
) -> None:
    """Probe one site, print what was learned, and keep it with the site. Raises Misconfigured."""
    site = wiring().admin.sites.find(site_name)
    _refuse_unfit(site, product_id)
    if not allow_writes:
        raise Misconfigured(
            f"nothing was asked: the probe makes a contact and some 20 reviews of product"
            f" {product_id} on site {site.id}, moderates and answers them, and deletes all of it;"
            " say --allow-writes if the product is there for tests"
        )
    its = ProbeReviews(wiring().remotes.wix_api(site.instance_id, time.sleep), product_id)
    probe = ReviewProbe(its, time.sleep, _quietly if as_json else _tell, organic_id)
    try:
        learned = probe.run()
    except CannotProbe as error:
        raise Misconfigured(f"{error}: `ratings-sync doctor` says more") from None
    wiring().admin.sites.note_learned(site.id, learned)
    if as_json:
        print_json({"site": site.id, "learned": learned})
        return
    say(f"kept with site {site.id}; `ratings-sync site show` shows it", err=True)


def _refuse_unfit(site: Site, product_id: str) -> None:
    """Raises Misconfigured where the probe's reviews would cross to the other side."""
    if site.wix_api is not WixKind.REVIEWS:
        raise Misconfigured(
            f"site {site.id} uses wix_api={site.wix_api}; there is nothing to probe"
        )
    mapped = wiring().admin.mappings.entities(site.id)
    if any(entity.wix.entity_id == product_id for entity in mapped):
        raise Misconfigured(
            f"product {product_id} is mapped: reviews of the probe would cross to"
            f" {site.connector}; name a test product that is not mapped"
        )
    maps_itself = site.policy.unknown_entity is UnknownEntity.SAME_ID
    if maps_itself and site.state is not SiteState.PAUSED:
        raise Misconfigured(
            f"site {site.id} maps products of equal ids by itself, so that reviews of the probe"
            f" would cross: `ratings-sync site pause --site {site.id}` first, resume it afterwards"
        )


def _tell(name: str, words: str) -> None:
    say(f"{name}: {words}", fg="red" if words.startswith("LOUD") or name == "left" else None)


def _quietly(name: str, words: str) -> None:
    if name == "left":
        click.echo(words, err=True)
