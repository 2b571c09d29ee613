"""What people do with the ledger from the command line: sites and mappings in, questions
answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, and_, func, or_, select, update

from sync_worker.core.errors import Misconfigured
from sync_worker.core.hold_keys import (
    contact_hold_key,
    email_hold_key,
    entity_hold_key,
    source_hold_key,
)
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import (
    Contact,
    Entity,
    EntityRef,
    InboxState,
    IntentState,
    Policy,
    Side,
    Site,
)
from sync_worker.ledger.fields import FieldLedger, Imported, ImportRefused
from sync_worker.ledger.held import HistoryLine, to_line
from sync_worker.ledger.rows import from_field, to_contact, to_entity
from sync_worker.ledger.statements.inbox import OPEN
from sync_worker.ledger.tables import (
    contact_map,
    entity_map,
    field_map,
    history,
    inbox,
    intent,
    link,
    site,
)

STATES = ("active", "recovery", "paused", "removed")


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """Counts at one moment.

    ``oldest_open_seconds``: age of the oldest delivery that is not at its end.
    """

    deliveries: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    open_intents: int = 0
    oldest_open_seconds: float | None = None
    writes_last_hour: int = 0
    near_misses: int = (
        0  # processed events that carry our identity, but that neither ledger nor intent knew
    )


class LedgerAdmin(FieldLedger):
    """Set-up and questions. Every import is one transaction: all rows or none."""

    # -- sites

    def add_site(
        self,
        instance_id: str,
        connector: str,
        fields: Sequence[FieldMap],
        policy: Mapping[str, str] | None = None,
    ) -> tuple[Site, list[int]]:
        """A new site, and the deliveries that had waited for it.

        Raises Misconfigured if either name is taken.
        """
        row = {
            "instance_id": instance_id,
            "connector": connector,
            "policy": _checked_policy(policy or {}),
            "created_at": self._now,
        }
        with self._transactions.write() as connection:
            for column in (site.c.instance_id, site.c.connector):
                taken = connection.execute(
                    select(site.c.id).where(column == row[column.name])
                ).scalar()
                if taken is not None:
                    raise Misconfigured(
                        f"{column.name} {row[column.name]!r} belongs to site {taken} already"
                    )
            site_id = connection.execute(
                site.insert().values(row).returning(site.c.id)
            ).scalar_one()
            if fields:
                rows = [{"site_id": site_id, **from_field(one)} for one in fields]
                connection.execute(field_map.insert().values(rows))
            added = self._read_site(connection, site.c.id == site_id)
        assert added is not None  # noqa: S101 - it was inserted above
        keys = [source_hold_key(Side.WIX, instance_id), source_hold_key(Side.EXTERNAL, connector)]
        return added, self._release_keys(keys)

    def sites(self) -> list[Site]:
        with self._transactions.read() as connection:
            ids = connection.execute(select(site.c.id).order_by(site.c.id)).scalars().all()
            found = [self._read_site(connection, site.c.id == one) for one in ids]
        return [one for one in found if one is not None]

    def find_site(self, name: str | None) -> Site:
        """By number, instance id or connector; without a name the only one there is.

        Raises Misconfigured.
        """
        sites = self.sites()
        if not sites:
            raise Misconfigured(
                "there is no site yet; add one with `ratings-sync site add INSTANCE_ID --connector"
                " CONNECTOR`"
            )
        names = ", ".join(f"{one.id} ({one.connector})" for one in sites)
        if name is None:
            if len(sites) > 1:
                raise Misconfigured(f"there are several sites: {names}; choose one with --site")
            return sites[0]
        for one in sites:
            if name in (str(one.id), one.instance_id, one.connector):
                return one
        raise Misconfigured(f"there is no site {name!r}; there are: {names}")

    def set_policy(self, site_id: int, changes: Mapping[str, str]) -> Site:
        """Change some decisions. Raises Misconfigured for an unknown one."""
        with self._transactions.write() as connection:
            row = connection.execute(select(site.c.policy).where(site.c.id == site_id)).one()
            policy = _checked_policy({**row.policy, **changes})
            connection.execute(update(site).where(site.c.id == site_id).values(policy=policy))
        return self.find_site(str(site_id))

    def set_state(self, site_id: int, state: str) -> list[int]:
        """Pause, resume or remove; resuming releases what was held for it."""
        with self._transactions.write() as connection:
            connection.execute(update(site).where(site.c.id == site_id).values(state=state))
        if state != "active":
            return []
        return self._release_reasons(
            [f"site_{one}" for one in STATES], self.find_site(str(site_id))
        )

    # -- mappings

    def import_entities(
        self, site_: Site, pairs: Sequence[tuple[EntityRef, EntityRef]]
    ) -> Imported:
        """Map (Wix, external) pairs; a pair that links use cannot be taken apart.

        Raises ImportRefused.
        """
        rows = [_entity_row(site_.id, *pair) for pair in pairs]
        counts = self._import(
            entity_map,
            rows,
            same=lambda row: or_(
                _equals(entity_map, row, "wix_namespace", "wix_group", "wix_entity_id"),
                _equals(entity_map, row, "external_group", "external_entity_id"),
            ),
            is_used=lambda found: link.c.entity_id == found.id,
        )
        keys = [
            entity_hold_key(side, ref)
            for pair in pairs
            for side, ref in zip(Side, pair, strict=True)
        ]
        return self._with_released(counts, keys, site_)

    def import_contacts(self, site_: Site, contacts: Sequence[Contact]) -> Imported:
        """Map people by their address; a contact with links keeps its address.

        Raises ImportRefused.
        """
        rows = [
            {
                "site_id": site_.id,
                "wix_contact_id": one.contact_id,
                "email": one.email,
                "external_author_id": one.author_id,
            }
            for one in contacts
        ]
        counts = self._import(
            contact_map,
            rows,
            same=lambda row: _equals(contact_map, row, "email"),
            is_used=lambda found: and_(
                link.c.site_id == found.site_id, link.c.contact_id == found.wix_contact_id
            ),
            fixed=("wix_contact_id",),
        )
        keys = [email_hold_key(one.email) for one in contacts if one.email is not None]
        keys += [contact_hold_key(one.contact_id) for one in contacts]
        return self._with_released(counts, keys, site_)

    def _import(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        same: Callable[[Mapping[str, Any]], Any],
        is_used: Callable[[Any], Any],
        fixed: Sequence[str] | None = None,
    ) -> Imported:
        """Insert rows; found rows that differ are replaced unless links use them.

        All in one transaction.
        """
        problems: dict[int, str] = {}
        added = changed = unchanged = 0
        with self._transactions.write() as connection:
            for position, row in enumerate(rows):
                found = connection.execute(
                    select(table).where(table.c.site_id == row["site_id"], same(row))
                ).all()
                if len(found) == 1 and _has_all(found[0], row):
                    unchanged += 1
                    continue
                used = [
                    one
                    for one in found
                    if not (fixed and _has_all(one, {name: row[name] for name in fixed}))
                ]
                if any(
                    connection.execute(select(1).where(is_used(one)).limit(1)).first()
                    for one in used
                ):
                    problems[position] = "it would change a mapping that linked ratings use already"
                    continue
                connection.execute(table.delete().where(table.c.id.in_([one.id for one in found])))
                connection.execute(table.insert().values(row))
                changed, added = changed + bool(found), added + (not found)
            if problems:
                raise ImportRefused(problems)
        return Imported(added, changed, unchanged)

    def entities(self, site_id: int) -> list[Entity]:
        return [to_entity(row) for row in self._rows(entity_map, site_id)]

    def contacts(self, site_id: int) -> list[Contact]:
        return [to_contact(row) for row in self._rows(contact_map, site_id)]

    def _rows(self, table: Table, site_id: int) -> Sequence[Any]:
        with self._transactions.read() as connection:
            return connection.execute(
                select(table).where(table.c.site_id == site_id).order_by(table.c.id)
            ).all()

    # -- what was held for it

    def _with_released(self, counts: Imported, keys: Sequence[str], site_: Site) -> Imported:
        """After the mappings' own transaction: a worker that holds now looks once more, and finds
        them.
        """
        return Imported(
            counts.added, counts.changed, counts.unchanged, tuple(self._release_keys(keys, site_))
        )

    # -- questions

    def heard(self, source: str, remote_ids: Sequence[str], since: float) -> list[str]:
        """The changes that external deliveries told of these ids (with none: of any), since a time
        of the database.
        """
        which = (
            (inbox.c.side == str(Side.EXTERNAL))
            & (inbox.c.source == source)
            & (inbox.c.received_at >= since)
        )
        if remote_ids:
            which &= inbox.c.remote_id.in_(remote_ids)
        with self._transactions.read() as connection:
            return list(
                connection.execute(
                    select(inbox.c.change).where(which).order_by(inbox.c.id)
                ).scalars()
            )

    def now(self) -> float:
        """The database's time, in seconds since 1970."""
        with self._transactions.read() as connection:
            return float(connection.execute(select(self._now)).scalar_one())

    def close_held(self, source: str, remote_ids: Sequence[str], since: float, reason: str) -> int:
        """End held external deliveries of these ids that came since a time: what they speak of is
        over.
        """
        which = (
            (inbox.c.side == str(Side.EXTERNAL))
            & (inbox.c.source == source)
            & (inbox.c.received_at >= since)
        )
        which &= inbox.c.remote_id.in_(remote_ids) & (inbox.c.state == str(InboxState.HELD))
        with self._transactions.write() as connection:
            ended = (
                update(inbox)
                .where(which)
                .values(state=str(InboxState.DONE), reason=reason, closed_at=self._now)
            )
            return int(connection.execute(ended).rowcount)

    def status(self) -> LedgerStatus:
        with self._transactions.read() as connection:
            age = self._now - func.min(inbox.c.received_at)
            hour_ago = history.c.at > self._in(-3600.0)
            is_ours = (
                inbox.c.is_ours
                & (inbox.c.state == str(InboxState.DONE))
                & (inbox.c.reason.in_(("synced", "in_step")))
            )
            return LedgerStatus(
                deliveries=_counts(connection, inbox.c.state),
                held=_counts(connection, inbox.c.reason, inbox.c.state == str(InboxState.HELD)),
                links=_counts(connection, link.c.state),
                open_intents=_count(connection, intent, intent.c.state == str(IntentState.OPEN)),
                oldest_open_seconds=connection.execute(
                    select(age).where(inbox.c.state.in_(OPEN))
                ).scalar(),
                writes_last_hour=_count(
                    connection, history, hour_ago & (history.c.intent_id != "")
                ),
                near_misses=_count(connection, inbox, is_ours),
            )

    def history(
        self, *, link_id: int | None = None, remote_id: str | None = None, limit: int = 50
    ) -> list[HistoryLine]:
        """The newest lines, oldest first: of a link, of whatever a remote id belongs to, or
        of all.
        """
        which: Any = history.c.id > 0
        if link_id is not None:
            which = history.c.link_id == link_id
        if remote_id is not None:
            linked = select(history.c.link_id).where(history.c.remote_id == remote_id)
            which &= or_(history.c.remote_id == remote_id, history.c.link_id.in_(linked))
        with self._transactions.read() as connection:
            rows = connection.execute(
                select(history).where(which).order_by(history.c.id.desc()).limit(limit)
            ).all()
        return [to_line(row) for row in reversed(rows)]


def _checked_policy(changes: Mapping[str, str]) -> dict[str, str]:
    """Only what may be chosen. Raises Misconfigured with the choices."""
    free = {"same_id_namespace", "same_id_group"}
    for name, value in changes.items():
        choices = Policy.CHOICES.get(name)
        if choices is None and name not in free:
            raise Misconfigured(
                f"there is no policy {name!r}; there are:"
                f" {', '.join([*Policy.CHOICES, *sorted(free)])}"
            )
        if choices is not None and value not in choices:
            raise Misconfigured(
                f"policy {name} cannot be {value!r}; choose one of: {', '.join(choices)}"
            )
    return dict(changes)


def _entity_row(site_id: int, wix: EntityRef, external: EntityRef) -> dict[str, Any]:
    return {
        "site_id": site_id,
        "wix_namespace": wix.namespace,
        "wix_group": wix.group,
        "wix_entity_id": wix.entity_id,
        "external_group": external.group,
        "external_entity_id": external.entity_id,
    }


def _equals(table: Table, row: Mapping[str, Any], *names: str) -> Any:
    return and_(*(table.c[name] == row[name] for name in names))


def _has_all(found: Any, row: Mapping[str, Any]) -> bool:
    return all(getattr(found, name) == value for name, value in row.items())


def _count(connection: Connection, table: Table, which: Any) -> int:
    return int(
        connection.execute(select(func.count()).select_from(table).where(which)).scalar_one()
    )


def _counts(connection: Connection, column: Any, which: Any = None) -> dict[str, int]:
    counted = select(column, func.count()).group_by(column).order_by(column)
    rows: Iterable[Any] = connection.execute(counted if which is None else counted.where(which))
    return {str(name): int(number) for name, number in rows}
