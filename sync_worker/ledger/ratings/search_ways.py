"""What a word may mean that a person has at hand, as conditions that an index answers.

A few hundred are looked at of each meaning: who wants more of them gives more of the word.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from sync_worker.core.email_identity import earlier_identities, normalise_email
from sync_worker.core.hold_keys import email_hold_keys, entity_hold_keys
from sync_worker.core.hold_reasons import FOR_A_CONTACT
from sync_worker.core.values import EntityRef, InboxState, Side
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.console.tables import unlinked
from sync_worker.ledger.console.text_ends import escaped
from sync_worker.ledger.console.unlinked import folded
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.tables import (
    contact_map,
    contact_redirect,
    entity_map,
    history,
    inbox,
    intent,
    link,
    link_value,
    site,
    tombstone,
)
from sync_worker.ledger.transactions import is_sqlite

OF_A_MEANING = 500
PEOPLE, PRODUCTS = 200, 20
OPEN_LOOKED_AT = 5_000  # deliveries on their way, the newest first
MIN_START = 4  # characters of an id; of a shorter one the whole
MIN_NAME = 2
SHORT_ID = re.compile(r"([#rh])(\d{1,18})", re.IGNORECASE)
INTENT_START = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f-]*)?", re.IGNORECASE)
INTENT_FORM = "00000000-0000-0000-0000-000000000000"
ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
LAST_CHARACTER = "\U0010ffff"


class Ways:
    """The meanings of one word, on one site or on all."""

    def __init__(self, connection: Connection, word: str, site_id: int | None) -> None:
        self._connection, self._word, self._site_id = connection, word, site_id

    # -- ratings

    def links(self) -> Iterator[Select[Any]]:
        """Of each meaning, the numbers of links; not in order."""
        yield from self._short_ids()
        word = self._word
        yield self._here(link, select(link.c.id).where(self._is_id(link.c.external_id)))
        shown = select(link_value.c.link_id).where(self._is_id(link_value.c.wix_id))
        yield self._here(link_value, shown)
        buried = self._is_id(tombstone.c.remote_id) & ~tombstone.c.privacy
        yield self._here(
            tombstone, select(tombstone.c.link_id).where(buried, tombstone.c.link_id.is_not(None))
        )
        heard = self._is_id(inbox.c.remote_id) & inbox.c.link_id.is_not(None)
        yield select(inbox.c.link_id).where(self._newest_open(), heard)
        yield from map(self._links_of_people, self._people())
        merged = select(contact_redirect.c.target_id, contact_redirect.c.site_id)
        merged = self._here(contact_redirect, merged.where(contact_redirect.c.contact_id == word))
        target = merged.limit(PEOPLE).subquery()
        is_target = (link.c.site_id == target.c.site_id) & (link.c.contact_id == target.c.target_id)
        yield select(link.c.id).join(target, is_target)

    def products(self) -> list[int]:
        """The mapped things that the word names: by an id, or by the start of a title."""
        found = self._here(entity_map, select(entity_map.c.id).where(self._is_product()))
        return list(self._connection.execute(found.limit(PRODUCTS)).scalars())

    def sites(self) -> list[int]:
        """The site of this instance id, connector or account."""
        word = self._word
        by_account = select(account.c.site_id).where(account.c.public_id == word)
        named = or_(
            site.c.instance_id == word,
            site.c.external_source == word,
            site.c.id.in_(by_account),
        )
        if self._site_id is not None:
            named &= site.c.id == self._site_id
        return list(self._connection.execute(select(site.c.id).where(named).limit(2)).scalars())

    def _short_ids(self) -> Iterator[Select[Any]]:
        """The numbers that we print: ``#17`` a delivery, ``r17`` a rating, ``h17`` a line."""
        found = SHORT_ID.fullmatch(self._word)
        if found is not None:
            kind, number = found[1].lower(), int(found[2])
            table: Any = {"#": inbox, "r": link, "h": history}[kind]
            column = table.c.id if table is link else table.c.link_id
            yield select(column).where(table.c.id == number, column.is_not(None))
        if INTENT_START.fullmatch(self._word):
            first, last = _bounds_of_intent(self._word)
            asked = select(intent.c.link_id).where(intent.c.id >= first, intent.c.id <= last)
            yield self._here(intent, asked)

    def _people(self) -> Iterator[Any]:
        word = self._word
        if "@" in word:
            forms = {word.strip(), normalise_email(word), *earlier_identities(word)}
            yield contact_map.c.email.in_(forms)
            return
        yield contact_map.c.external_author_id == word
        yield contact_map.c.wix_contact_id == word
        if len(word) >= MIN_NAME:
            yield self._begins_folded(contact_map.c.name)

    def _links_of_people(self, which: Any) -> Select[Any]:
        people = self._here(
            contact_map, select(contact_map.c.site_id, contact_map.c.wix_contact_id).where(which)
        )
        some = people.limit(PEOPLE).subquery()
        is_theirs = (link.c.site_id == some.c.site_id) & (
            link.c.contact_id == some.c.wix_contact_id
        )
        return select(link.c.id).join(some, is_theirs)

    def _is_product(self) -> Any:
        named = [
            self._is_id(entity_map.c.wix_entity_id),
            self._is_id(entity_map.c.external_entity_id),
        ]
        if len(self._word) >= MIN_NAME:
            named.append(self._begins_folded(entity_map.c.title))
        return or_(*named)

    # -- deliveries that belong to no rating yet

    def deliveries(self, products: list[int]) -> Iterator[Select[Any]]:
        """Of each meaning, the numbers of deliveries without a link; not in order."""
        word = self._word
        found = SHORT_ID.fullmatch(word)
        if found is not None and found[1] == "#":
            yield select(inbox.c.id).where(inbox.c.id == int(found[2]))
        at_rest = [str(InboxState.HELD), str(InboxState.DONE)]
        rests = inbox.c.link_id.is_(None) & inbox.c.state.in_(at_rest)
        yield select(inbox.c.id).where(rests, self._is_id(inbox.c.remote_id))
        yield select(inbox.c.id).where(self._newest_open(), self._is_id(inbox.c.remote_id))
        for which in self._keys(products):
            yield self._here(unlinked, select(unlinked.c.inbox_id).where(which))
        for reasons, keys in self._hold_keys():
            waits = (inbox.c.state == str(InboxState.HELD)) & inbox.c.reason.in_(reasons)
            yield select(inbox.c.id).where(waits, inbox.c.hold_key.in_(keys))

    def _keys(self, products: list[int]) -> Iterator[Any]:
        word = self._word
        if "@" in word:
            yield unlinked.c.email_key.in_(email_hold_keys(word))
            forms = {word.strip(), normalise_email(word), *earlier_identities(word)}
            theirs = self._here(
                contact_map,
                select(contact_map.c.wix_contact_id).where(contact_map.c.email.in_(forms)),
            )
            yield unlinked.c.person_id.in_(theirs)
            return
        yield unlinked.c.person_id == word
        yield self._is_id(unlinked.c.entity_id)
        if len(word) >= MIN_NAME:
            yield begins(self._connection, unlinked.c.name_key, folded(word))
        if products:
            its = entity_map.c.id.in_(products)
            named = select(entity_map.c.wix_entity_id, entity_map.c.external_entity_id).where(its)
            names = {name for row in self._connection.execute(named) for name in row}
            yield unlinked.c.entity_id.in_(sorted(names))

    def _hold_keys(self) -> Iterator[tuple[tuple[str, ...], list[str]]]:
        """What it waits for: also of deliveries that were held before keys were kept."""
        if "@" in self._word:
            yield FOR_A_CONTACT, email_hold_keys(self._word)
            return
        names = [name for side in Side for name in entity_hold_keys(side, EntityRef(self._word))]
        yield ("unknown_entity",), names

    # -- parts of conditions

    def _is_id(self, column: Any) -> Any:
        if len(self._word) < MIN_START:
            return column == self._word
        return begins(self._connection, column, self._word)

    def _begins_folded(self, column: Any) -> Any:
        return begins(self._connection, func.lower(column), self._lowered())

    def _lowered(self) -> str:
        """As the database folds it: SQLite knows the letters of ASCII alone."""
        if not is_sqlite(self._connection):
            return self._word.lower()
        return self._word.translate(ASCII_LOWER)

    def _newest_open(self) -> Any:
        open_ones = select(inbox.c.id).where(inbox.c.state.in_(OPEN))
        newest = open_ones.order_by(inbox.c.received_at.desc()).limit(OPEN_LOOKED_AT)
        return inbox.c.id.in_(newest.scalar_subquery())

    def _here(self, table: Any, asked: Select[Any]) -> Select[Any]:
        """On the one site of who has no other, or that is chosen."""
        if self._site_id is None:
            return asked
        return asked.where(table.c.site_id == self._site_id)


def begins(connection: Connection, column: Any, start: str) -> Any:
    """Whether a text begins so, as the indexes of tables.py answer it."""
    if is_sqlite(connection):
        return (column >= start) & (column < start + LAST_CHARACTER)
    return column.like(f"{escaped(start)}%", escape="\\")


def _bounds_of_intent(start: str) -> tuple[str, str]:
    rest = INTENT_FORM[len(start) :]
    lower = start.lower()
    return lower + rest, lower + rest.replace("0", "f")
