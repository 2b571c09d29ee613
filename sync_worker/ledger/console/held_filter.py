"""Which held deliveries somebody means, as a condition of SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, literal_column, select, tuple_, union_all

from sync_worker.core.email_identity import earlier_identities, normalise_email
from sync_worker.core.hold_keys import contact_hold_key, email_hold_keys
from sync_worker.core.hold_reasons import FOR_A_CONTACT
from sync_worker.core.numbers import MAX_WHOLE
from sync_worker.core.values import Side, Site
from sync_worker.ledger.console.text_ends import ends_with
from sync_worker.ledger.statements.inbox import is_from, is_of_site
from sync_worker.ledger.tables import contact_map, entity_map, inbox, link

# Written out: only so do both databases see that the indexes of held ones fit.
HELD = inbox.c.state == literal_column("'held'")


@dataclass(frozen=True, slots=True)
class HeldPart:
    """A condition, and columns with the one value that each of them has to have.

    The columns are compared together with the number of the row, and not one by one: PostgreSQL
    would rather walk through all deliveries in the order of their numbers, past a million that have
    ended.
    """

    where: Any
    key: Sequence[tuple[Any, str]]

    def behind(self, number: int) -> Any:
        """Rows of the part behind that number."""
        if not self.key:
            return and_(self.where, inbox.c.id > number)
        values = [value for _, value in self.key]
        place = tuple_(*self.columns)
        is_behind = place > tuple_(*values, number)
        return and_(self.where, is_behind, place <= tuple_(*values, MAX_WHOLE))

    @property
    def columns(self) -> list[Any]:
        """In the order of the index."""
        return [*(column for column, _ in self.key), inbox.c.id]


@dataclass(frozen=True, slots=True)
class HeldFilter:
    """Which held deliveries; what is ``None`` does not matter.

    ``since``: received at that moment or later; ``until``: or earlier. ``person``: an e-mail
    address, or the id of a person on either side. ``product``: its id on either side, or its title.
    """

    reason: str | None = None
    side: Side | None = None
    site: Site | None = None
    since: datetime | None = None
    inbox_ids: Sequence[int] | None = None
    until: datetime | None = None
    person: str | None = None
    product: str | None = None

    @property
    def is_empty(self) -> bool:
        parts = (self.reason, self.side, self.site, self.since, self.inbox_ids)
        return all(part is None for part in (*parts, self.until, self.person, self.product))

    @property
    def is_of_few(self) -> bool:
        """Of one person or product: an index finds them first, whatever else is asked for."""
        return self.person is not None or self.product is not None


def is_held(which: HeldFilter) -> Any:
    """Held, and as the filter says."""
    parts: list[Any] = [HELD, *_parts(which)]
    if which.reason is not None:
        parts.append(inbox.c.reason == which.reason)
    if which.side is not None:
        parts.append(inbox.c.side == str(which.side))
    if which.site is not None:
        parts.append(is_of_site(which.site))
    return and_(*parts)


def held_by_source(which: HeldFilter) -> list[HeldPart]:
    """The same in parts, each of which an index of held ones gives in order, or finds whole."""
    if which.is_of_few:
        return [HeldPart(is_held(which), [])]
    parts: list[Any] = [HELD, *_parts(which)]
    of_reason: list[tuple[Any, str]] = []
    if which.reason is not None:
        of_reason.append((inbox.c.reason, which.reason))
    sides = list(Side)
    if which.side is not None:
        sides = [which.side]
    if which.site is None:
        return [_of_side(side, parts, of_reason) for side in sides]
    found = []
    for side in sides:
        is_its = and_(inbox.c.side == str(side), *parts)
        source = which.site.external_source
        if side is Side.WIX:
            source = which.site.instance_id
        key = [(inbox.c.source, source), *of_reason]
        # The index of a site's begins with the reason, too; without one there are few to sort.
        if not of_reason:
            is_its, key = and_(is_from(which.site, side), *parts), []
        found.append(HeldPart(is_its, key))
    return found


def _of_side(side: Side, parts: Sequence[Any], of_reason: Sequence[tuple[Any, str]]) -> HeldPart:
    if of_reason:
        return HeldPart(and_(*parts), [(inbox.c.side, str(side)), *of_reason])
    return HeldPart(and_(inbox.c.side == str(side), *parts), [])


def _parts(which: HeldFilter) -> list[Any]:
    """Of the filter what no index of held ones serves."""
    parts: list[Any] = []
    if which.since is not None:
        parts.append(inbox.c.received_at >= which.since.timestamp())
    if which.until is not None:
        parts.append(inbox.c.received_at <= which.until.timestamp())
    if which.inbox_ids is not None:
        parts.append(inbox.c.id.in_(which.inbox_ids))
    if which.person is not None:
        parts.append(_is_of_person(which.person.strip(), which.site))
    if which.product is not None:
        parts.append(_is_of_product(which.product.strip(), which.site))
    return parts


def _is_of_person(word: str, site: Site | None) -> Any:
    """By what it waits for, or by the link of its rating: each way by an index of its own."""
    keys = [contact_hold_key(word)]
    if "@" in word:
        keys = email_hold_keys(word)
        forms = {word, normalise_email(word), *earlier_identities(word)}
        ways = [_of_contacts(contact_map.c.email.in_(forms), site)]
    else:
        ways = [
            _of_contacts(contact_map.c.external_author_id == word, site),
            _of_links(link.c.contact_id == word, site),
        ]
    waits = select(inbox.c.id).where(HELD, inbox.c.reason.in_(FOR_A_CONTACT))
    ways.append(waits.where(inbox.c.hold_key.in_(keys)))
    return inbox.c.id.in_(union_all(*ways))


def _is_of_product(word: str, site: Site | None) -> Any:
    """By what it waits for, or by the link of its rating: each way by an index of its own."""
    title = entity_map.c.title
    names = (
        entity_map.c.wix_entity_id == word,
        entity_map.c.external_entity_id == word,
        (func.lower(title) == func.lower(word)) & (title == word),
    )
    ways = []
    for named in names:
        things = select(entity_map.c.id).where(named)
        if site is not None:
            things = things.where(entity_map.c.site_id == site.id)
        ways.append(_of_links(link.c.entity_id.in_(things), site))
    waits = select(inbox.c.id).where(HELD, inbox.c.hold_key.startswith("entity:"))
    ways.append(waits.where(ends_with(inbox.c.hold_key, f":{word}")))
    return inbox.c.id.in_(union_all(*ways))


def _of_contacts(which: Any, site: Site | None) -> Select[Any]:
    """Held ones of the ratings of these contacts."""
    is_theirs = (link.c.site_id == contact_map.c.site_id) & (
        link.c.contact_id == contact_map.c.wix_contact_id
    )
    found = select(inbox.c.id).select_from(contact_map).join(link, is_theirs)
    found = found.join(inbox, inbox.c.link_id == link.c.id).where(HELD, which)
    return found if site is None else found.where(contact_map.c.site_id == site.id)


def _of_links(which: Any, site: Site | None) -> Select[Any]:
    """Held ones of these links."""
    found = select(inbox.c.id).select_from(link).join(inbox, inbox.c.link_id == link.c.id)
    found = found.where(HELD, which)
    return found if site is None else found.where(link.c.site_id == site.id)
