"""Sites as a person sets them up: added, found, paused, with their policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, exists, insert, or_, select, update

from sync_worker.core.errors import Misconfigured
from sync_worker.core.hold_keys import source_hold_key
from sync_worker.core.hold_reasons import NO_ACCOUNT
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import AccountState, Policy, Side, Site, SiteState, WixKind
from sync_worker.core.words import MAX_NAMESPACE, MAX_WIX_ID, is_usable_id
from sync_worker.ledger.accounts.audit import BY_COMMAND, note_change
from sync_worker.ledger.accounts.removal import begin_anew
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.administration.held import release_keys, release_reasons
from sync_worker.ledger.administration.history_lines import to_time
from sync_worker.ledger.console.pause_rows import put_pause, read_pauses
from sync_worker.ledger.sites import REST_OVER, refuse_newer_site, state_values
from sync_worker.ledger.statements.moving import move_all
from sync_worker.ledger.statements.runs import awaits_baseline
from sync_worker.ledger.statements.sites import from_field, read_sites, site_by_id
from sync_worker.ledger.tables import field_map, site
from sync_worker.ledger.transactions import Transactions, ledger_now

GUESTS = "guest_may_change"
SITES_SHOWN = 20  # in a message
# What the audit calls that a site comes into a state.
STATE_WORDS = {
    SiteState.ACTIVE: "site.resume",
    SiteState.PAUSED: "site.pause",
    SiteState.RECOVERY: "site.recover",
    SiteState.REMOVED: "site.remove",
}
MAX_DIGITS = 18  # a longer number is no site's: no column holds it
FREE_POLICIES = frozenset({"same_id_namespace", "same_id_group"})


class SiteAdmin:
    """Sites, by their number, instance id, connector or account."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def any_has_account(self) -> bool:
        """Whether a shop was ever given as an account, of the sites that are there."""
        with self._transactions.read() as connection:
            return connection.execute(select(account.c.id).limit(1)).first() is not None

    def add(
        self,
        instance_id: str,
        connector: str,
        fields: Sequence[FieldMap],
        policy: Mapping[str, str] | None = None,
        wix_api: WixKind = WixKind.RATINGS,
    ) -> tuple[Site, list[int]]:
        """A new site, and the deliveries that had waited for it.

        Without a connector it waits for an account; with one, such a site is not new. Raises
        Misconfigured if either name is taken, or the first is no instance id.
        """
        _refuse_unusable(instance_id)
        row = {
            "instance_id": instance_id,
            "connector": connector,
            "external_source": connector or None,
            # Noted: only sites from before this policy have not heard of it (`doctor`).
            "policy": _checked_policy({GUESTS: str(Policy().guest_may_change), **(policy or {})}),
            "created_at": ledger_now(),
            "wix_api": str(wix_api),
        }
        with self._transactions.write() as connection:
            waiting = _waiting(connection, instance_id)
            begins_waiting = bool(connector) and waiting is not None
            if not begins_waiting:
                _refuse_if_taken(connection, site.c.instance_id, instance_id, "instance_id")
            if connector:
                _refuse_if_taken(connection, site.c.external_source, connector, "connector")
            if begins_waiting:
                site_id = _begin_waiting(connection, waiting, row, _checked_policy(policy or {}))
            else:
                new = insert(site).values(row).returning(site.c.id)
                site_id = connection.execute(new).scalar_one()
            if fields and not _maps_some(connection, site_id):
                rows = [{"site_id": site_id, **from_field(field)} for field in fields]
                connection.execute(insert(field_map).values(rows))
            added = site_by_id(connection, site_id)
        assert added is not None  # noqa: S101 - it was inserted above
        # After the site's own transaction: a worker that holds a delivery now looks once more.
        keys = [source_hold_key(Side.WIX, instance_id)]
        if connector:
            keys.append(source_hold_key(Side.EXTERNAL, connector))
        released = release_keys(self._transactions, keys)
        if waiting is not None:
            released += release_reasons(self._transactions, (NO_ACCOUNT,), added)
        return added, released

    def take_over(self, site_id: int, instance_id: str) -> tuple[Site, list[int]]:
        """The app is installed on a site that its owner's key has opened: all it has goes on.

        Returns the site, and what had waited for the new instance. Raises Misconfigured.
        """
        _refuse_unusable(instance_id)
        with self._transactions.write() as connection:
            known = site_by_id(connection, site_id)
            assert known is not None  # noqa: S101 - callers have it from here
            _refuse_if_taken(connection, site.c.instance_id, instance_id, "instance_id")
            move_all(connection, Side.WIX, known.instance_id, instance_id)
            changed = update(site).where(site.c.id == site_id).values(instance_id=instance_id)
            connection.execute(changed)
        released = release_keys(self._transactions, [source_hold_key(Side.WIX, instance_id)])
        return self.find(str(site_id)), released

    def all(self) -> list[Site]:
        """In the order in which they were added."""
        with self._transactions.read() as connection:
            return read_sites(connection)

    def are_several(self) -> bool:
        """Whether more than one site may have something to do."""
        some = select(site.c.id).where(site.c.state != str(SiteState.REMOVED)).limit(2)
        with self._transactions.read() as connection:
            return len(connection.execute(some).all()) > 1

    def find(self, name: str | None) -> Site:
        """By number, instance id, connector or account; without a name the only one there is.

        Raises Misconfigured.
        """
        with self._transactions.read() as connection:
            found = None if name is None else read_sites(connection, is_named(name), limit=1)
            if found:
                return found[0]
            sites = read_sites(connection, limit=SITES_SHOWN + 1)
        if not sites:
            raise Misconfigured(
                "there is no site yet; add one with `ratings-sync site add INSTANCE_ID --connector"
                " CONNECTOR`"
            )
        if name is None and len(sites) == 1:
            return sites[0]
        names = ", ".join(f"{known.id} ({known.connector})" for known in sites[:SITES_SHOWN])
        if len(sites) > SITES_SHOWN:
            names += " and more (`ratings-sync site list`)"
        if name is None:
            raise Misconfigured(f"there are several sites: {names}; choose one with --site")
        raise Misconfigured(f"there is no site {name!r}; there are: {names}")

    def of_environment(self, connector: str | None = None) -> list[Site]:
        """The site whose shop the environment holds for a connector, unless it is removed.

        ``None``: for any.
        """
        name = site.c.connector if connector is None else connector
        is_its = (site.c.external_source == name) & (site.c.state != str(SiteState.REMOVED))
        with self._transactions.read() as connection:
            return read_sites(connection, is_its)

    def left_of_environment(self) -> list[str]:
        """The connectors whose shop of the environment is a site's that has removed the app."""
        has_left = (site.c.external_source == site.c.connector) & (
            site.c.state == str(SiteState.REMOVED)
        )
        with self._transactions.read() as connection:
            return list(connection.execute(select(site.c.connector).where(has_left)).scalars())

    def not_asked_about_guests(self) -> list[Site]:
        """Sites whose owner has neither chosen nor been told what guests may change."""
        with self._transactions.read() as connection:
            rows = connection.execute(select(site.c.id, site.c.policy)).all()
        ids = {row.id for row in rows if GUESTS not in row.policy}
        return [known for known in self.all() if known.id in ids]

    def learned(self, site_id: int) -> dict[str, str]:
        """What a probe found out of Wix Reviews on the site, in words by its name."""
        with self._transactions.read() as connection:
            found = select(site.c.wix_learned).where(site.c.id == site_id)
            return dict(connection.execute(found).scalar_one() or {})

    def note_learned(self, site_id: int, learned: Mapping[str, str]) -> None:
        """Keep what was found out; what was not asked stays as it was."""
        this = site.c.id == site_id
        with self._transactions.write() as connection:
            found = select(site.c.wix_learned).where(this).with_for_update()
            known = {**(connection.execute(found).scalar_one() or {}), **learned}
            connection.execute(update(site).where(this).values(wix_learned=known))

    def set_policy(
        self, site_id: int, changes: Mapping[str, str], actor: str = BY_COMMAND, why: str = ""
    ) -> Site:
        """Change some decisions. Raises Misconfigured for an unknown one."""
        with self._transactions.write() as connection:
            row = connection.execute(select(site.c.policy).where(site.c.id == site_id)).one()
            policy = _checked_policy({**row.policy, **changes})
            connection.execute(update(site).where(site.c.id == site_id).values(policy=policy))
            before = _decisions(row.policy, changes)
            after = _decisions(policy, changes)
            if before != after:
                note_change(
                    connection, actor, "site.policy", site_id, before=before, after=after, why=why
                )
        return self.find(str(site_id))

    def set_state(
        self,
        site_id: int,
        state: SiteState,
        actor: str = BY_COMMAND,
        why: str = "",
        *,
        until: float | None = None,
    ) -> list[int]:
        """Pause, resume or remove; resuming releases what was held for it.

        A site that has changed its API of Wix comes back in recovery, until both sides were
        compared. ``until``: when a pause ends by itself, in seconds since 1970. Raises
        Misconfigured where it is there already.
        """
        with self._transactions.write() as connection:
            refuse_newer_site(connection, site_id, state)
            if state is SiteState.ACTIVE and awaits_baseline(connection, site_id):
                _refuse_uncompared(connection, site_id)
                state = SiteState.RECOVERY
            was = _standing(connection, site_id)
            values = state_values(connection, site_id, state, actor)
            connection.execute(update(site).where(site.c.id == site_id).values(values))
            if state is SiteState.PAUSED:
                put_pause(connection, site_id, SiteState(was["state"]), until, why, actor)
            _note_state(connection, site_id, was, actor, why)
        if state not in REST_OVER:
            return []
        reasons, of = [f"site_{other}" for other in REST_OVER[state]], self.find(str(site_id))
        released = release_reasons(self._transactions, reasons, of)
        return sorted([*released, *begin_anew(self._transactions, of)])


def _note_state(
    connection: Connection, site_id: int, was: Mapping[str, Any], actor: str, why: str
) -> None:
    """An entry of the audit, unless nothing changed."""
    now = _standing(connection, site_id)
    if now != was:
        what = STATE_WORDS[SiteState(now["state"])]
        note_change(connection, actor, what, site_id, before=was, after=now, why=why)


def _standing(connection: Connection, site_id: int) -> dict[str, Any]:
    """The state of a site for the audit, and when a pause of it ends by itself."""
    state = connection.execute(select(site.c.state).where(site.c.id == site_id)).scalar_one()
    pause = read_pauses(connection, [site_id]).get(site_id)
    if pause is None or pause.until is None:
        return {"state": state}
    return {"state": state, "until": to_time(pause.until).isoformat(timespec="seconds")}


def _decisions(policy: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """What counts for these policies: also where nobody has chosen."""
    chosen = Policy.of(policy)
    return {name: str(getattr(chosen, name)) for name in names}


def _refuse_uncompared(connection: Connection, site_id: int) -> None:
    """Raises Misconfigured if the site is in recovery: only a baseline ends that."""
    state = connection.execute(select(site.c.state).where(site.c.id == site_id)).scalar()
    if state == SiteState.RECOVERY:
        raise Misconfigured(
            f"site {site_id} has changed its API of Wix, and both sides were not compared since:"
            f" `ratings-sync reconcile --site {site_id} --dry-run` shows what that would write,"
            f" `ratings-sync reconcile --site {site_id}` does it, and the site goes on"
        )


def is_named(name: str) -> Any:
    is_its_account = (account.c.public_id == name) & (account.c.state != str(AccountState.REVOKED))
    is_named = or_(
        site.c.instance_id == name,
        site.c.external_source == name,
        site.c.id.in_(select(account.c.site_id).where(is_its_account)),
    )
    is_number = name.isascii() and name.isdecimal() and not name.startswith("0")
    if is_number and len(name) <= MAX_DIGITS:
        return or_(is_named, site.c.id == int(name))
    return is_named


def _refuse_unusable(instance_id: str) -> None:
    if not is_usable_id(instance_id, MAX_WIX_ID):
        raise Misconfigured(
            f"{instance_id[:MAX_WIX_ID]!r} is no instance id: it is at most {MAX_WIX_ID}"
            " characters that can be printed; Wix shows it to an installed app"
        )


def _waiting(connection: Connection, instance_id: str) -> Any:
    """The row of a site that has had no connector and no account yet, if it is one."""
    waits = (site.c.connector == "") & site.c.external_source.is_(None)
    found = select(site.c.id, site.c.policy).where(site.c.instance_id == instance_id, waits)
    return connection.execute(found.with_for_update()).first()


def _maps_some(connection: Connection, site_id: int) -> bool:
    is_there = exists().where(field_map.c.site_id == site_id)
    return bool(connection.execute(select(is_there)).scalar_one())


def _begin_waiting(
    connection: Connection, waiting: Any, row: Mapping[str, Any], policy: Mapping[str, str]
) -> int:
    """It gets its connector; what was chosen for it meanwhile stays."""
    given = {name: row[name] for name in ("connector", "external_source", "wix_api")}
    changed = update(site).where(site.c.id == waiting.id)
    connection.execute(changed.values(**given, policy={**waiting.policy, **policy}))
    return int(waiting.id)


def _refuse_if_taken(connection: Connection, column: Any, name: str, what: str) -> None:
    taken = connection.execute(select(site.c.id).where(column == name)).scalar()
    if taken is not None:
        raise Misconfigured(f"{what} {name!r} belongs to site {taken} already")


def _checked_policy(changes: Mapping[str, str]) -> dict[str, str]:
    """Only what may be chosen. Raises Misconfigured with the choices."""
    for name, value in changes.items():
        choices = Policy.CHOICES.get(name)
        if choices is None and name not in FREE_POLICIES:
            there_are = ", ".join([*Policy.CHOICES, *sorted(FREE_POLICIES)])
            raise Misconfigured(f"there is no policy {name!r}; there are: {there_are}")
        if choices is None and len(value) > MAX_NAMESPACE:
            raise Misconfigured(f"policy {name} has at most {MAX_NAMESPACE} characters")
        if choices is not None and value not in choices:
            raise Misconfigured(
                f"policy {name} cannot be {value!r}; choose one of: {', '.join(choices)}"
            )
    return {name: str(value) for name, value in changes.items()}
