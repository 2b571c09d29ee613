"""What a release is expected to come to: from the ledger alone, and no more than it knows. Pure.

A release only lets a delivery be looked at afresh. What that look finds on both sides, and what the
other side answers, nobody knows before: such are *tried*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.hold_keys import entity_hold_key
from sync_worker.core.hold_reasons import UNCONFIRMED_DELETES, hold_reason
from sync_worker.core.said import said, within
from sync_worker.core.values import (
    Change,
    Deletes,
    FirstDifference,
    Record,
    Side,
    Site,
    SiteState,
    UnknownContact,
    UnknownEntity,
    WixAnonymous,
)
from sync_worker.ledger.console.held_known import Known
from sync_worker.ledger.console.held_pages import HeldRow
from sync_worker.services.held.reading import missing_thing
from sync_worker.services.held.values import Expectation, Expected

Forecast = tuple[Expected, str]

WRITES = (Expected.WRITTEN, said("the value is brought to the other side"))
DELETES = (Expected.WRITTEN, said("the record on the other side is deleted"))
LOOKS = (Expected.TRIED, said("both sides are read first, and their difference decides"))
ASKS_WIX = (Expected.TRIED, said("Wix is asked once more whose the address is"))
READS_FIRST = (
    Expected.TRIED,
    said("its record is read first: the delivery does not say whose it is"),
)
IN_STEP = (Expected.ENDED, said("both sides are in step already, as far as the ledger knows"))
# The other side, or the record, would have to be another by then.
TRIED_AGAIN = frozenset(
    {
        "attempts_exhausted",
        "cannot_write",
        "conflict_unexplained",
        "contact_unknown",
        "duplicate_unseen",
        "host_not_allowed",
        "malformed_record",
        "misconfigured",
        "organic_review",
        "record_locked",
        "redirected",
        "refused",
        "skipped",
        "unauthorized",
        "words_refused",
        "unsupported",
    }
)
NEVER = frozenset({"malformed_event", "unusable_id"})
# Waits for a person or a thing that no release brings.
STILL_MISSING = frozenset({"address_unusable", "no_email", "no_entity", "people_joined"})
LET_IN = frozenset({"fight", "guest_change", "link_held"})


@dataclass(frozen=True, slots=True)
class Held:
    """A held delivery and the record that it carries."""

    row: HeldRow
    record: Record | None


def expectations(held: Iterable[Held], known: dict[int, Known]) -> list[Expectation]:
    """By what comes of them and why; ``known``: of their sites, by number."""
    counts: Counter[Forecast] = Counter()
    room = {
        (site_id, side): left for site_id, of in known.items() for side, left in of.room.items()
    }
    for one in held:
        site = one.row.site
        forecast = expected(one, known.get(site.id, Known()) if site else Known())
        if forecast == DELETES and site is not None:
            its_side = (site.id, _other(one.row))
            room[its_side] = room.get(its_side, 0) - 1
            if room[its_side] < 0:
                forecast = (
                    Expected.STAYS,
                    said("no more deletes may go to that side within the hour"),
                )
        counts[forecast] += 1
    order = list(Expected)
    ranked = sorted(counts.items(), key=lambda one: (order.index(one[0][0]), -one[1]))
    return [Expectation(what, why, number) for (what, why), number in ranked]


def expected(held: Held, known: Known) -> Forecast:
    """Of one delivery."""
    row, site = held.row, held.row.site
    reason = row.delivery.reason
    if site is None:
        return Expected.STAYS, said("no site is added for it")
    stop = _standstill(site, reason)
    if stop is not None:
        return stop
    if row.delivery.new.change not in (Change.UPSERT, Change.DELETE):
        return LOOKS
    if not site.policy.may_write(_other(row)):
        return Expected.ENDED, said(
            "by its policy nothing is written to %(side)s", side=_side_words(_other(row))
        )
    if reason == "unknown_entity":
        return _of_unknown_thing(held, site, known)
    if reason == "unknown_contact":
        return _of_unknown_person(held, site, known)
    return _of_reason(row, site, reason)


def _standstill(site: Site, reason: str) -> Forecast | None:
    """Nothing of the site is worked on, or nothing can come of this one."""
    if not site.is_at_work:
        return Expected.STAYS, _words(site.why_at_rest)
    if site.failing:
        return Expected.STAYS, _words("account_failing")
    if reason in NEVER:
        return Expected.STAYS, _words(reason)
    return None


def _of_unknown_thing(held: Held, site: Site, known: Known) -> Forecast:
    side = held.row.delivery.new.side
    thing = missing_thing(held.row, held.record)
    keys = {held.row.hold_key}
    if thing is not None:
        keys.add(entity_hold_key(side, thing))
    if keys & known.hold_keys:
        return of_person(held, site, known)
    if site.policy.unknown_entity is UnknownEntity.SKIP:
        return Expected.ENDED, said("by its policy what is not mapped is skipped")
    if site.policy.unknown_entity is UnknownEntity.SAME_ID:
        return of_person(held, site, known)
    return Expected.STAYS, _words("unknown_entity")


def of_person(held: Held, site: Site, known: Known) -> Forecast:
    """Its thing is known: it crosses once its person is known, too."""
    if held.record is None:
        return READS_FIRST
    person = held.record.person
    if held.row.delivery.new.side is Side.WIX:
        return WRITES if person.contact_id in known.contacts else LOOKS
    if person.email is None:
        return Expected.STAYS, _words("no_email")
    if normalise_email(person.email) in known.addresses:
        return WRITES
    if site.policy.unknown_contact is UnknownContact.SKIP:
        return Expected.TRIED, said("by its policy it ends, unless Wix knows the address")
    return ASKS_WIX


def _of_unknown_person(held: Held, site: Site, known: Known) -> Forecast:
    address = held.record.person.email if held.record is not None else None
    if address is not None and normalise_email(address) in known.addresses:
        return WRITES
    if site.policy.unknown_contact is UnknownContact.CREATE:
        return Expected.WRITTEN, said(
            "by its policy the person becomes a contact, and the value crosses"
        )
    if site.policy.unknown_contact is UnknownContact.SKIP:
        return Expected.TRIED, said("by its policy it ends, unless Wix knows the address")
    return ASKS_WIX


def _of_reason(row: HeldRow, site: Site, reason: str) -> Forecast:
    """What the ledger tells by the reason, and by the policies that count for it."""
    if reason in UNCONFIRMED_DELETES or reason == "moved_onto_rating":
        return _of_delete(site)
    if row.delivery.new.change is Change.DELETE and site.policy.deletes is Deletes.IGNORE:
        return Expected.ENDED, said("by its policy deletes do not cross")
    if reason in ("first_difference", "scale_changed"):
        if site.policy.first_difference is FirstDifference.HOLD:
            return Expected.STAYS, said("both sides differ, and nobody has said which is right")
        right = _side_words(Side(site.policy.first_difference))
        return Expected.WRITTEN, said("by its policy %(side)s is right", side=right)
    if reason == "anonymous_visitor" and site.policy.wix_anonymous is WixAnonymous.SKIP:
        return Expected.ENDED, said("by its policy what nobody knows is skipped")
    if reason in STILL_MISSING or reason == "anonymous_visitor":
        return Expected.STAYS, _words(reason)
    if reason in LET_IN:
        return WRITES
    if reason in TRIED_AGAIN:
        return Expected.TRIED, said("it is sent again, and the other side may refuse it again")
    return LOOKS


def _of_delete(site: Site) -> Forecast:
    if site.state is SiteState.RECOVERY:
        return Expected.STAYS, _words("site_recovery")
    return DELETES


def _other(row: HeldRow) -> Side:
    return Side.EXTERNAL if row.delivery.new.side is Side.WIX else Side.WIX


def _words(reason: str) -> str:
    """The title of a reason, in the middle of a sentence."""
    return within(hold_reason(reason).title)


def _side_words(side: Side) -> str:
    return said("the external side") if side is Side.EXTERNAL else "Wix"


def deletes_of(held: Sequence[Held]) -> set[Side]:
    """The sides to which some of them would delete."""
    sides = set()
    for one in held:
        if one.row.delivery.reason in (*UNCONFIRMED_DELETES, "moved_onto_rating"):
            sides.add(_other(one.row))
    return sides
