"""Which lines of the history a word means that a person has at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, or_, select

from sync_worker.core.email_identity import earlier_identities, normalise_email
from sync_worker.ledger.tables import (
    contact_map,
    contact_redirect,
    entity_map,
    history,
    inbox,
    link,
    link_value,
)

MIN_PREFIX = 4  # shorter ones would find most of the ledger


def ways_to_history(word: str) -> Iterator[Any]:
    """Conditions on lines of the history, the most exact first."""
    yield _of_record(history.c.remote_id == word, _links_of_record(word))
    if "@" in word:
        yield _of_links(_links_of_people(_has_address(word)))
    yield _of_links(_links_of_people(contact_map.c.external_author_id == word))
    yield _of_links(_links_of_contact(word))
    yield _of_links(_links_of_product(word))
    if len(word) >= MIN_PREFIX:
        start = f"{_literal(word)}%"
        begins = history.c.remote_id.like(start, escape="\\")
        yield _of_record(begins, _links_that_begin(start))


def _of_record(is_itself: Any, *links: Select[Any]) -> Any:
    linked = select(history.c.link_id).where(is_itself, history.c.link_id.is_not(None))
    return or_(is_itself, history.c.link_id.in_(linked), *map(_of_links, links))


def _of_links(links: Select[Any]) -> Any:
    return history.c.link_id.in_(links)


def _links_of_record(remote_id: str) -> Select[Any]:
    """On file on either side, or heard of in a delivery."""
    outside = select(link.c.id).where(link.c.external_id == remote_id)
    wix = select(link_value.c.link_id).where(link_value.c.wix_id == remote_id)
    heard = select(inbox.c.link_id).where(
        inbox.c.remote_id == remote_id, inbox.c.link_id.is_not(None)
    )
    return select(link.c.id).where(
        or_(link.c.id.in_(outside), link.c.id.in_(wix), link.c.id.in_(heard))
    )


def _links_that_begin(start: str) -> Select[Any]:
    outside = select(link.c.id).where(link.c.external_id.like(start, escape="\\"))
    wix = select(link_value.c.link_id).where(link_value.c.wix_id.like(start, escape="\\"))
    return select(link.c.id).where(or_(link.c.id.in_(outside), link.c.id.in_(wix)))


def _has_address(word: str) -> Any:
    """Also as an earlier rule wrote it down."""
    return contact_map.c.email.in_({word, normalise_email(word), *earlier_identities(word)})


def _links_of_people(which: Any) -> Select[Any]:
    return (
        select(link.c.id)
        .join(
            contact_map,
            (contact_map.c.site_id == link.c.site_id)
            & (contact_map.c.wix_contact_id == link.c.contact_id),
        )
        .where(which)
    )


def _links_of_contact(contact_id: str) -> Select[Any]:
    """Also of one that was merged into another."""
    merged = select(contact_redirect.c.target_id).where(contact_redirect.c.contact_id == contact_id)
    return select(link.c.id).where(
        or_(link.c.contact_id == contact_id, link.c.contact_id.in_(merged))
    )


def _links_of_product(entity_id: str) -> Select[Any]:
    product = or_(
        entity_map.c.wix_entity_id == entity_id, entity_map.c.external_entity_id == entity_id
    )
    return select(link.c.id).where(link.c.entity_id.in_(select(entity_map.c.id).where(product)))


def _literal(word: str) -> str:
    """Without the signs that LIKE reads as patterns."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
