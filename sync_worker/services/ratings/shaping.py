"""Rows of the ledger as a person may see them."""

from __future__ import annotations

from sync_worker.core.scale import FieldMap
from sync_worker.core.values import HistoryKind, LinkState, Site
from sync_worker.ledger.ratings.activity_lines import ActivityLine
from sync_worker.ledger.ratings.rating_rows import LinkRow, UnlinkedRow
from sync_worker.services.access.masking import masked
from sync_worker.services.access.who import Right, Who
from sync_worker.services.ratings import words
from sync_worker.services.ratings.values import DeliveryFound, Line, RatingFound

MAIN_FIELD = "value"
# They took something away that was there.
UNDOABLE = frozenset(
    {
        HistoryKind.UPDATE,
        HistoryKind.DELETE,
        HistoryKind.REPLY,
        HistoryKind.GAP,
        HistoryKind.UNKNOWN,
    }
)


def main_field(site: Site) -> FieldMap | None:
    """The field of the stars."""
    return next((one for one in site.fields if one.external_field == MAIN_FIELD), None)


def person_of(row: LinkRow) -> str | None:
    """Their name, if one is on file. An address that stands as a name counts as none."""
    name = row.contact.name
    return None if name is None or "@" in name else name


def email_of(who: Who, row: LinkRow) -> str | None:
    email = row.contact.email
    if email is None or who.may(Right.SEE_ADDRESSES, row.site.id):
        return email
    return masked(email)


def rating_found(who: Who, row: LinkRow) -> RatingFound:
    """Of an erased rating nothing of the person is on file any more."""
    state, sentence = words.standing(row)
    field, main = main_field(row.site), row.main
    said = row.link.bases.get("body") or row.link.bases.get("title")
    return RatingFound(
        number=f"r{row.link.id}",
        link_id=row.link.id,
        site_id=row.site.id,
        site=row.site.instance_id,
        connector=row.site.connector,
        person=person_of(row),
        email=email_of(who, row),
        contact_id=row.contact.contact_id,
        product=row.title,
        wix_product_id=row.entity.wix.entity_id,
        external_product_id=row.entity.external.entity_id,
        wix_value=words.told(main.wix),
        wix_best=None if field is None else str(field.wix.maximum),
        external_value=words.told(main.external),
        external_best=None if field is None else str(field.external.maximum),
        words=None if said is None else words.told(said.wix or said.external),
        state=state,
        sentence=sentence,
        reasons=row.held,
        changed_at=row.changed_at,
    )


def delivery_found(row: UnlinkedRow) -> DeliveryFound:
    name = row.name
    if name is not None and "@" in name:
        name = None
    return DeliveryFound(
        number=f"#{row.inbox_id}",
        inbox_id=row.inbox_id,
        site_id=None if row.site is None else row.site.id,
        site=row.source if row.site is None else row.site.instance_id,
        side=str(row.side),
        person=name,
        product=row.title,
        product_id=row.entity_id,
        remote_id=row.remote_id,
        state=str(row.state),
        reason=row.reason,
        because=words.not_linked(row),
        received_at=row.received_at,
    )


def line_of(who: Who, line: ActivityLine, row: LinkRow | None) -> Line:
    entry = line.entry
    return Line(
        number=f"h{line.id}",
        history_id=line.id,
        at=line.at,
        site_id=line.site_id,
        site=None if row is None else row.site.instance_id,
        link_id=line.link_id,
        person=None if row is None else person_of(row) or email_of(who, row),
        product=None if row is None else row.title or row.entity.wix.entity_id,
        actor=entry.actor,
        kind=str(entry.what),
        side=None if entry.side is None else str(entry.side),
        attribute=entry.attribute,
        what=words.done(entry),
        before=words.told(entry.before),
        after=words.told(entry.after),
        lost=words.told(entry.loser),
        lost_side=None if entry.loser_side is None else str(entry.loser_side),
        why=words.why(entry),
        is_forgotten=line.is_forgotten,
        can_undo=can_undo(who, line, row),
    )


def can_undo(who: Who, line: ActivityLine, row: LinkRow | None) -> bool:
    """Whether to offer it; the decision itself looks again."""
    entry = line.entry
    had = entry.before if entry.before is not None else entry.loser
    if had is None or line.is_forgotten or entry.what not in UNDOABLE or row is None:
        return False
    is_there = row.link.state is not LinkState.BURIED or entry.what is HistoryKind.DELETE
    return is_there and not is_erased(row) and who.may(Right.DECIDE, line.site_id)


def is_erased(row: LinkRow) -> bool:
    """Whether its person asked to be forgotten: nothing of it is left."""
    return row.contact.contact_id == f"erased-{row.link.id}"
