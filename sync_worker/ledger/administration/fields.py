"""Fields and their scales. A changed scale is a new version of the mapping.

Its effect is shown first; then each linked value that no longer agrees is planned anew, as any
delivery is. Bases are native to each side, so they stay true; what changes is whether two of them
agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select

from sync_worker.core.scale import FieldMap, OffScale
from sync_worker.core.values import (
    FirstDifference,
    InboxState,
    LinkState,
    Policy,
    Side,
    Site,
    WixKind,
)
from sync_worker.ledger.accounts.audit import BY_COMMAND, note_change
from sync_worker.ledger.administration.mappings import IN_USE, Imported, ImportRefused
from sync_worker.ledger.statements.sites import from_field, site_by_id, to_field
from sync_worker.ledger.tables import field_map, inbox, link, link_value
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class FieldEffect:
    """What new scales mean for linked ratings.

    ``changing`` will be written, ``off_scale`` will be held.
    """

    attribute: str
    linked: int = 0
    changing: int = 0
    off_scale: int = 0
    examples: tuple[str, ...] = ()


class FieldAdmin:
    """The mapped fields of a site."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def import_fields(
        self,
        site: Site,
        fields: Sequence[FieldMap],
        actor: str = BY_COMMAND,
        *,
        may_rescale: bool = False,
    ) -> Imported:
        """Map attributes: all rows or none. New scales of one in use need ``may_rescale``.

        Raises ImportRefused.
        """
        problems: dict[int, str] = {}
        counts = dict.fromkeys(("added", "changed", "unchanged"), 0)
        with self._transactions.write() as connection:
            for position, field in enumerate(fields):
                outcome = _import_field(connection, site, field, may_rescale=may_rescale)
                if outcome in counts:
                    counts[outcome] += 1
                else:
                    problems[position] = outcome
            if problems:
                raise ImportRefused(problems)
            if counts["added"] or counts["changed"]:
                before = {field.attribute: _words(field) for field in site.fields}
                after = {field.attribute: _words(field) for field in fields}
                note_change(
                    connection, actor, "map.import_fields", site.id, before=before, after=after
                )
        return Imported(counts["added"], counts["changed"], counts["unchanged"])

    def plan_anew(self, site_id: int) -> int:
        """Once more, for what runs that still had the old mapping wrote meanwhile.

        Returns how many deliveries.
        """
        with self._transactions.write() as connection:
            site = site_by_id(connection, site_id)
            if site is None:
                raise LookupError(f"there is no site {site_id}")
            return sum(_plan_anew(connection, site, field) for field in site.fields)

    def effects(self, site: Site, fields: Sequence[FieldMap]) -> list[FieldEffect]:
        """For each field whose scales would change: what becomes of the linked ratings."""
        now = {_pair(field): field for field in site.fields}
        changed = [
            field
            for field in fields
            if _pair(field) in now and replace(now[_pair(field)], version=field.version) != field
        ]
        with self._transactions.read() as connection:
            return [
                _effect(field, list(_linked_values(connection, site.id, field)), site.policy)
                for field in changed
            ]


# -- import


def _words(field: FieldMap) -> str:
    return f"{field.wix} ↔ {field.external_field} {field.external}, {field.mapping}"


def _import_field(connection: Connection, site: Site, field: FieldMap, *, may_rescale: bool) -> str:
    """``added``, ``changed`` or ``unchanged``; or why it cannot be mapped."""
    if site.wix_api is WixKind.REVIEWS and not _is_of_reviews(field):
        return "Wix Reviews has one mark, `overall`, of 1 to 5 whole stars"
    found = connection.execute(select(field_map).where(_same_names(site.id, field))).all()
    old = to_field(found[0]) if len(found) == 1 else None
    if old is not None and replace(old, version=field.version) == field:
        return "unchanged"
    is_same_pair = old is not None and _pair(old) == _pair(field)
    is_used = any(_is_used(connection, site.id, row.wix_attribute) for row in found)
    # Linked ratings rely on the old pair.
    if is_used and not is_same_pair:
        return IN_USE
    # Linked ratings would be planned anew: a person has to agree first.
    if is_used and not may_rescale:
        return "it would change the scales of linked ratings; see --dry-run, then say --yes"
    version = old.version + 1 if old is not None and is_same_pair else 1
    replaced = field_map.c.id.in_([row.id for row in found])
    connection.execute(delete(field_map).where(replaced))
    new = replace(field, version=version)
    connection.execute(insert(field_map).values(site_id=site.id, **from_field(new)))
    _plan_anew(connection, site, new)
    return "changed" if found else "added"


def _is_of_reviews(field: FieldMap) -> bool:
    """Whether Wix Reviews has such a mark.

    https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/review-object
    """
    wix = field.wix
    are_whole = all(part == int(part) for part in (wix.minimum, wix.step))
    return field.attribute == "overall" and wix.minimum >= 1 and wix.maximum <= 5 and are_whole


def _is_used(connection: Connection, site_id: int, attribute: str) -> bool:
    uses = (link_value.c.site_id == site_id) & (link_value.c.attribute == attribute)
    return connection.execute(select(1).where(uses).limit(1)).first() is not None


# -- linked values


def _linked_values(connection: Connection, site_id: int, field: FieldMap) -> Iterator[Any]:
    """Of living links, where both sides have a base."""
    is_linked = (link_value.c.site_id == site_id) & (link_value.c.attribute == field.attribute)
    both = link_value.c.base_wix.is_not(None) & link_value.c.base_external.is_not(None)
    is_live = link.c.state == str(LinkState.LIVE)
    rows = select(
        link_value.c.link_id,
        link_value.c.wix_id,
        link_value.c.base_wix,
        link_value.c.base_external,
        func.coalesce(link_value.c.base_version, 1).label("version"),
        link.c.external_id,
        (link.c.lease_until > ledger_now()).label("is_leased"),
    ).join(link, link.c.id == link_value.c.link_id)
    yield from connection.execute(rows.where(is_linked, both, is_live))


def _plan_anew(connection: Connection, site: Site, field: FieldMap) -> int:
    """A delivery for each linked value that does not agree by this version.

    Links that are in hand get one, too.
    """
    hints = [
        _hint(site, field, row)
        for row in _linked_values(connection, site.id, field)
        if row.version < field.version and (row.is_leased or _agreement(field, row) is not True)
    ]
    if not hints:
        return 0
    now = connection.execute(select(ledger_now())).scalar_one()
    times = {"received_at": now, "next_attempt_at": now}
    # A link with no record on either side has nothing to look at.
    rows = [hint | times for hint in hints if hint["remote_id"]]
    connection.execute(insert_into(connection, inbox).on_conflict_do_nothing(), rows)
    return len(hints)


def _hint(site: Site, field: FieldMap, row: Any) -> dict[str, Any]:
    side = Side.WIX if row.wix_id else Side.EXTERNAL
    return {
        "side": str(side),
        "source": site.instance_id if side is Side.WIX else site.external_source,
        "dedupe_id": f"scale:{field.attribute}:{field.version}:{row.link_id}",
        "change": "upsert",
        "remote_id": row.wix_id or row.external_id,
        "payload": {},
        "state": str(InboxState.NEW),
        "must_read": True,
        "site_id": site.id,
        "link_id": row.link_id,
    }


def _pair(field: FieldMap) -> tuple[str, str]:
    return field.attribute, field.external_field


def _same_names(site_id: int, field: FieldMap) -> Any:
    named = or_(
        field_map.c.wix_attribute == field.attribute,
        field_map.c.external_field == field.external_field,
    )
    return (field_map.c.site_id == site_id) & named


def _agreement(field: FieldMap, row: Any) -> bool | None:
    """Whether both bases are in one class; ``None`` if one is off its scale."""
    try:
        return field.agree(Decimal(row.base_wix), Decimal(row.base_external))
    except OffScale:
        return None


def _effect(field: FieldMap, rows: Sequence[Any], policy: Policy) -> FieldEffect:
    verdicts = [(row, _agreement(field, row)) for row in rows]
    changing = [row for row, agrees in verdicts if agrees is False]
    off = [row for row, agrees in verdicts if agrees is None]
    examples = [_example(field, row, policy) for row in changing[:EXAMPLES]]
    examples += [
        f"wix {row.base_wix}, external {row.base_external}: off the scale" for row in off[:EXAMPLES]
    ]
    return FieldEffect(field.attribute, len(rows), len(changing), len(off), tuple(examples))


def _example(field: FieldMap, row: Any, policy: Policy) -> str:
    shown = f"wix {row.base_wix}, external {row.base_external}"
    match policy.first_difference:
        case FirstDifference.WIX:
            return f"{shown}: external becomes {field.to_external(Decimal(row.base_wix))}"
        case FirstDifference.EXTERNAL:
            return f"{shown}: wix becomes {field.to_wix(Decimal(row.base_external))}"
        case _:
            return f"{shown}: held (scale_changed)"
