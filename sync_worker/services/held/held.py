"""Held ones for whoever may see and help them: groups, pages, a look ahead, release, drop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Misconfigured
from sync_worker.core.hold_reasons import hold_reason
from sync_worker.core.said import Said, joined, said
from sync_worker.core.values import EntityRef, HistoryKind, InboxState, Side, Site
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.held import DeliveryStory, HeldDelivery
from sync_worker.ledger.administration.history_lines import HistoryLine
from sync_worker.ledger.console.held_filter import HeldFilter
from sync_worker.ledger.console.held_known import Known, SqlHeldKnown, Wanted
from sync_worker.ledger.console.held_pages import DAYS, PAGE, HeldRow, SqlHeldPages
from sync_worker.services.access.who import Right, Who
from sync_worker.services.held.expecting import Held, deletes_of, expectations
from sync_worker.services.held.items import item_of
from sync_worker.services.held.reading import Readings, missing_thing
from sync_worker.services.held.values import (
    HeldDay,
    HeldDetail,
    HeldGroup,
    HeldItem,
    HeldPage,
    Preview,
    Released,
)

__all__ = ["HeldFilter", "HeldService"]

LOOKED_AT = 500  # of a group, in one look ahead
BATCH = 400  # in one transaction
MAX_AT_ONCE = 10_000  # with one press of a button


class HeldService:
    """Every method raises Forbidden for what is not theirs, and Transient."""

    def __init__(self, admin: LedgerAdmin, readings: Readings) -> None:
        self._admin, self._readings = admin, readings
        self._pages = SqlHeldPages(admin.transactions)
        self._known = SqlHeldKnown(admin.transactions)

    def site(self, who: Who, site_id: int | None) -> Site | None:
        """The site that somebody means; an owner without a word means their own.

        Raises Misconfigured if there is none.
        """
        site_id = who.site_id if site_id is None else site_id
        who.check(Right.LOOK, site_id)
        if site_id is None:
            return None
        found = self._admin.site_pages.some([site_id])
        if not found:
            raise Misconfigured(said("there is no site %(site)s", site=site_id))
        return found[0]

    def filter(
        self,
        who: Who,
        reason: str | None = None,
        *,
        site_id: int | None = None,
        side: Side | None = None,
        older_days: int | None = None,
        person: str = "",
        product: str = "",
        numbers: Sequence[int] | None = None,
    ) -> HeldFilter:
        """What somebody asks for; an owner's is of their own site. ``older_days``: at least."""
        until = None
        if older_days:
            until = datetime.now(UTC) - timedelta(days=older_days)
        return HeldFilter(
            reason,
            side,
            self.site(who, site_id),
            inbox_ids=numbers,
            until=until,
            person=person or None,
            product=product or None,
        )

    # -- looking

    def groups(self, who: Who, which: HeldFilter) -> list[HeldGroup]:
        """By reason, the oldest first."""
        groups = []
        for count in self._pages.counts(self._scoped(who, which, Right.LOOK)):
            known = hold_reason(count.reason)
            groups.append(
                HeldGroup(
                    count.reason,
                    known.title,
                    known.sentence,
                    known.advice,
                    str(known.way),
                    known.frees_itself,
                    count.count.number,
                    count.count.is_more,
                    count.oldest_at,
                )
            )
        return groups

    def page(self, who: Who, which: HeldFilter, after: int = 0, limit: int = PAGE) -> HeldPage:
        """Behind that number, oldest first."""
        which = self._scoped(who, which, Right.LOOK)
        rows = self._pages.page(which, after, limit + 1)
        items = [self._item(who, row) for row in rows[:limit]]
        return HeldPage(items, items[-1].number if len(rows) > limit else None)

    def items(self, who: Who, numbers: Sequence[int]) -> dict[int, HeldItem]:
        """Of some held ones what a person knows of them, by their numbers."""
        which = self._scoped(who, HeldFilter(inbox_ids=numbers), Right.LOOK)
        rows = self._pages.page(which, limit=max(1, len(numbers)))
        return {row.delivery.id: self._item(who, row) for row in rows}

    def listed(self, who: Who, which: HeldFilter, limit: int) -> list[HeldDelivery]:
        """As commands print them: of all reasons together, oldest first."""
        return self._admin.held.all(self._scoped(who, which, Right.LOOK), limit)

    def detail(self, who: Who, number: int) -> HeldDetail | None:
        """One that is held; ``None``: it is not, or not to be seen."""
        which = self._scoped(who, HeldFilter(inbox_ids=[number]), Right.LOOK)
        rows = self._pages.page(which, limit=1)
        story = self._admin.held.story(number)
        if not rows or story is None:
            return None
        row = rows[0]
        known, record = hold_reason(row.delivery.reason), self._readings.record(row)
        words = record.words if record is not None else {}
        return HeldDetail(
            self._item(who, row),
            known.sentence,
            known.advice,
            known.frees_itself,
            words.get("title", ""),
            words.get("body", ""),
            record.is_verified if record is not None else None,
            refused_with(story),
            story.history,
        )

    def last_crossed(self, who: Who, which: HeldFilter) -> datetime | None:
        """When a value was last brought across, of the site or of all."""
        site = self._scoped(who, which, Right.LOOK).site
        return self._pages.last_crossed(site.id if site is not None else None)

    def what_became(self, who: Who, number: int) -> str | None:
        """Of one that is not held any more: what somebody did with it, or how it stands.

        ``None``: there is none, or it is not theirs to see.
        """
        story = self._admin.held.story(number)
        site_id = story.site.id if story is not None and story.site is not None else None
        if story is None or not who.may(Right.LOOK, site_id):
            return None
        state, reason = story.delivery.state, story.delivery.reason
        own = [line for line in story.history if line.entry.inbox_id == number]
        acts = [one for one in own if one.entry.what in (HistoryKind.REPLAY, HistoryKind.DROP)]
        if state is InboxState.HELD:
            title = said(hold_reason(reason).title)
            return said("#%(number)s is held: %(why)s.", number=number, why=title)
        told = [
            said(
                "#%(number)s is not held any more: it has ended (%(why)s).",
                number=number,
                why=reason or state,
            )
        ]
        if state in (InboxState.NEW, InboxState.TAKEN):
            told = [said("#%(number)s is not held any more: it is on its way.", number=number)]
        if acts and acts[-1].entry.actor:
            told.append(_act_words(acts[-1]))
        return joined(" ", told)

    def days(self, who: Who, which: HeldFilter, days: int = DAYS) -> list[HeldDay]:
        """Since when what is held now came, by day and reason."""
        first = (datetime.now(UTC) - timedelta(days=days - 1)).date()
        since = datetime(first.year, first.month, first.day, tzinfo=UTC)
        counted = self._pages.days(self._scoped(who, which, Right.LOOK), since)
        return [
            HeldDay(one.day, one.reason, hold_reason(one.reason).title, one.number)
            for one in counted
        ]

    def preview(self, who: Who, which: HeldFilter) -> Preview:
        """What a release is expected to do: from the ledger alone, no remote is asked."""
        which = self._scoped(who, which, Right.LOOK)
        rows = self._pages.page(which, limit=LOOKED_AT + 1)
        held = [Held(row, self._readings.record(row)) for row in rows[:LOOKED_AT]]
        told = expectations(held, self._known_of(held))
        return Preview(len(held), len(rows) > LOOKED_AT, told)

    # -- acting

    def release(
        self, who: Who, which: HeldFilter, why: str = "", limit: int | None = None
    ) -> Released:
        """Put back to work; ``limit``: so many at once, without it all."""
        which = self._scoped(who, which, Right.RELEASE)
        return self._in_batches(
            which, limit, lambda some: self._admin.held.release(some, who.name, why)
        )

    def drop(self, who: Who, which: HeldFilter, why: str, limit: int | None = None) -> Released:
        """End for good. Raises Misconfigured without a reason."""
        which = self._scoped(who, which, Right.RELEASE)
        if not why.strip():
            raise Misconfigured(said("say why; it stands in the history for whoever asks later"))
        return self._in_batches(
            which, limit, lambda some: self._admin.held.drop(some, why.strip(), who.name)
        )

    def replay(self, who: Who, numbers: Sequence[int]) -> list[int]:
        """Put back to work what is held or has ended, of all sites."""
        who.check(Right.RELEASE, None)
        return self._admin.held.replay(numbers, who.name)

    def _in_batches(
        self, which: HeldFilter, limit: int | None, do: Callable[[HeldFilter], Sequence[int]]
    ) -> Released:
        """Batch by batch: others go on beside it, and each is whole."""
        done: list[int] = []
        after = 0
        while limit is None or len(done) < limit:
            numbers = self._pages.numbers(which, after, BATCH)
            if not numbers:
                return Released(done)
            # Held still, and for the same: somebody else may have been quicker.
            done += do(replace(which, inbox_ids=numbers))
            after = numbers[-1]
        return Released(done, bool(self._pages.numbers(which, after, 1)))

    # -- inside

    def _scoped(self, who: Who, which: HeldFilter, right: Right) -> HeldFilter:
        """An owner's own site alone, whatever they ask for."""
        site_id = which.site.id if which.site is not None else who.site_id
        who.check(right, site_id)
        if which.site is None and who.site_id is not None:
            return replace(which, site=self.site(who, who.site_id))
        return which

    def _item(self, who: Who, row: HeldRow) -> HeldItem:
        sees = who.may(Right.SEE_ADDRESSES, row.site.id if row.site else who.site_id)
        return item_of(row, self._readings.record(row), sees_addresses=sees)

    def _known_of(self, held: Sequence[Held]) -> dict[int, Known]:
        """What is known by now of what these wait for, site by site."""
        by_site: dict[int, list[Held]] = {}
        for one in held:
            if one.row.site is not None:
                by_site.setdefault(one.row.site.id, []).append(one)
        return self._known.of_sites({one: wanted_of(some) for one, some in by_site.items()})


def wanted_of(held: Sequence[Held]) -> Wanted:
    """What these wait for; all of one site."""
    things: set[tuple[Side, EntityRef]] = set()
    addresses, contacts = set[str](), set[str]()
    for one in held:
        thing = missing_thing(one.row, one.record)
        if thing is not None:
            things.add((one.row.delivery.new.side, thing))
        if one.record is not None and one.record.person.email is not None:
            addresses.add(normalise_email(one.record.person.email))
        if one.record is not None and one.record.person.contact_id is not None:
            contacts.add(one.record.person.contact_id)
    return Wanted(things, addresses, contacts, deletes_of(held))


def _act_words(line: HistoryLine) -> Said:
    """Who has released or dropped it."""
    values = {"actor": line.entry.actor, "at": f"{line.at:%H:%M:%S}"}
    if line.entry.what is HistoryKind.REPLAY:
        return said("%(actor)s released it at %(at)s UTC.", **values)
    return said("%(actor)s dropped it at %(at)s UTC.", **values)


def refused_with(story: DeliveryStory) -> str:
    """What the remote said last, if it refused a write for this delivery."""
    own = [line.entry for line in story.history if line.entry.inbox_id == story.delivery.id]
    refusals = [entry for entry in own if entry.what == HistoryKind.REFUSED]
    return f"{refusals[-1].side}, {refusals[-1].reason}" if refusals else ""
