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

from sqlalchemy import Connection, func, or_, select

from sync_worker.core.scale import FieldMap, OffScale
from sync_worker.core.values import InboxState, LinkState, Policy, Side, Site
from sync_worker.ledger.held import HeldLedger
from sync_worker.ledger.rows import from_field, to_field
from sync_worker.ledger.tables import field_map, inbox, link, link_value
from sync_worker.ledger.transactions import insert_into

EXAMPLES = 5


class ImportRefused(Exception):
    """Rows cannot be mapped; nothing was changed. ``problems``: why, by position of the row."""

    def __init__(self, problems: dict[int, str]) -> None:
        super().__init__(f"{len(problems)} rows refused")
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class Imported:
    """Outcome of an import; ``released``: inbox ids of deliveries that had waited for these
    rows.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    released: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldEffect:
    """What new scales mean for ratings that are linked: ``changing`` will be written, ``off_scale``
    will be held.
    """

    attribute: str
    linked: int = 0
    changing: int = 0
    off_scale: int = 0
    examples: tuple[str, ...] = ()


class FieldLedger(HeldLedger):
    """Imports fields, in one transaction: all rows or none."""

    def import_fields(
        self, site: Site, fields: Sequence[FieldMap], *, may_rescale: bool = False
    ) -> Imported:
        """Map attributes. New scales of one that links use need ``may_rescale``.

        Raises ImportRefused.
        """
        problems: dict[int, str] = {}
        added = changed = unchanged = 0
        with self._transactions.write() as connection:
            for position, field in enumerate(fields):
                found = connection.execute(
                    select(field_map).where(_same_names(site.id, field))
                ).all()
                old = to_field(found[0]) if len(found) == 1 else None
                if old is not None and replace(old, version=field.version) == field:
                    unchanged += 1
                    continue
                is_same_pair = old is not None and _pair(old) == _pair(field)
                used = any(self._is_used(connection, site.id, row.wix_attribute) for row in found)
                if used and not is_same_pair:
                    problems[position] = "it would change a mapping that linked ratings use already"
                elif used and not may_rescale:
                    problems[position] = (
                        "it would change the scales of linked ratings; see --dry-run, then say"
                        " --yes"
                    )
                else:
                    version = old.version + 1 if old is not None and is_same_pair else 1
                    connection.execute(
                        field_map.delete().where(field_map.c.id.in_([row.id for row in found]))
                    )
                    row = from_field(replace(field, version=version))
                    connection.execute(field_map.insert().values(site_id=site.id, **row))
                    self._plan_anew(connection, site, replace(field, version=version))
                    changed, added = changed + bool(found), added + (not found)
            if problems:
                raise ImportRefused(problems)
        self._sites.clear()
        return Imported(added, changed, unchanged)

    def plan_anew(self, site_id: int) -> int:
        """Once more, for what runs that still had the old mapping wrote meanwhile.

        Returns how many deliveries.
        """
        with self._transactions.write() as connection:
            site = self._site_by_id(connection, site_id)
            return sum(self._plan_anew(connection, site, field) for field in site.fields)

    def _is_used(self, connection: Connection, site_id: int, attribute: str) -> bool:
        uses = (link_value.c.site_id == site_id) & (link_value.c.attribute == attribute)
        return connection.execute(select(1).where(uses).limit(1)).first() is not None

    # -- effect

    def field_effects(self, site: Site, fields: Sequence[FieldMap]) -> list[FieldEffect]:
        """For each field whose scales would change: how many linked ratings, and what becomes of
        them.
        """
        now = {_pair(field): field for field in site.fields}
        with self._transactions.read() as connection:
            return [
                _effect(
                    field,
                    list(self._linked_values(connection, site.id, field.attribute)),
                    site.policy,
                )
                for field in fields
                if _pair(field) in now
                and replace(now[_pair(field)], version=field.version) != field
            ]

    def _linked_values(self, connection: Connection, site_id: int, attribute: str) -> Iterator[Any]:
        is_linked = (link_value.c.site_id == site_id) & (link_value.c.attribute == attribute)
        both = link_value.c.base_wix.is_not(None) & link_value.c.base_external.is_not(None)
        is_live = link.c.state == str(LinkState.LIVE)
        rows = select(
            link_value.c.link_id,
            link_value.c.wix_id,
            link_value.c.base_wix,
            link_value.c.base_external,
            func.coalesce(link_value.c.base_version, 1).label("version"),
            link.c.external_id,
            (link.c.lease_until > self._now).label("is_leased"),
        ).join(link, link.c.id == link_value.c.link_id)
        yield from connection.execute(rows.where(is_linked, both, is_live))

    # -- planning anew

    def _plan_anew(self, connection: Connection, site: Site, field: FieldMap) -> int:
        """A delivery for each linked value that does not agree by this version; also for links that
        are in hand.
        """
        rows = [
            self._hint(site, field, row)
            for row in self._linked_values(connection, site.id, field.attribute)
            if row.version < field.version and (row.is_leased or _agreement(field, row) is not True)
        ]
        if not rows:
            return 0
        now = connection.execute(select(self._now)).scalar_one()
        connection.execute(
            insert_into(connection, inbox).on_conflict_do_nothing(),
            [
                row | {"received_at": now, "next_attempt_at": now}
                for row in rows
                if row["remote_id"]
            ],
        )
        return len(rows)

    def _hint(self, site: Site, field: FieldMap, row: Any) -> dict[str, Any]:
        side = Side.WIX if row.wix_id else Side.EXTERNAL
        return {
            "side": str(side),
            "source": site.instance_id if side is Side.WIX else site.connector,
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
        case "wix":
            return f"{shown}: external becomes {field.to_external(Decimal(row.base_wix))}"
        case "external":
            return f"{shown}: wix becomes {field.to_wix(Decimal(row.base_external))}"
        case _:
            return f"{shown}: held (scale_changed)"
