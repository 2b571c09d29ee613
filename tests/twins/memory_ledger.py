"""The ledger in memory: the same ports as in SQL, on plain dicts, for the simulator's many runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync_worker.core.scale import FieldMap
from sync_worker.core.values import (
    Contact,
    EntityRef,
    HistoryEntry,
    InboxState,
    IntentState,
    Person,
    Policy,
    RatingKey,
    Record,
    SearchKeys,
    Side,
    Site,
)
from sync_worker.ledger.database import SteadyClock
from tests.twins.memory_accounts import MemoryAccounts
from tests.twins.memory_decisions import MemoryDecisions
from tests.twins.memory_directory import MemoryDirectory
from tests.twins.memory_inbox import MemoryInbox
from tests.twins.memory_links import MemoryLinks
from tests.twins.memory_merges import MemoryMerges
from tests.twins.memory_site_sides import MemorySiteSides
from tests.twins.memory_sites import MemorySites
from tests.twins.memory_state import InboxRow, MemoryState
from tests.twins.memory_sweeps import MemorySweeps


class MemoryUnlinked:
    """Implements ports.Unlinked: no person looks for anything here, so nothing is kept."""

    def note(self, site_id: int, inbox_id: int, shown: SearchKeys) -> None:
        pass


@dataclass(frozen=True, slots=True)
class MemoryLedger:
    """The ports over one state, with the windows that the simulator looks through."""

    state: MemoryState
    inbox: MemoryInbox
    directory: MemoryDirectory
    links: MemoryLinks
    merges: MemoryMerges
    sites: MemorySites
    site_sides: MemorySiteSides
    sweeps: MemorySweeps
    accounts: MemoryAccounts
    unlinked: MemoryUnlinked
    decisions: MemoryDecisions

    # -- set-up

    def add_site(
        self,
        instance_id: str,
        connector: str,
        policy: Policy | None = None,
        fields: tuple[FieldMap, ...] = (),
        account: str = "",
    ) -> Site:
        """``account``: the name of its account; by default the connector's implicit one."""
        site_id = len(self.state.site_rows) + 1
        site = Site(
            site_id,
            instance_id,
            connector,
            policy or Policy(),
            fields,
            external_source=connector,
        )
        self.state.site_rows[site.id] = site
        if account:
            self.accounts.give(site.id, account)
        return self.state.site_rows[site.id]

    def site(self, site_id: int) -> Site:
        return self.state.site_rows[site_id]

    def make_due(self, inbox_id: int) -> None:
        """As if its time had come."""
        self.state.rows[inbox_id].next_attempt_at = 0.0

    def put_on_file_before(self, site_id: int, contact_id: str, form: str) -> None:
        """As an earlier version did, which folded all letters of an address."""
        self.directory.save_contact(site_id, Contact(contact_id, form))
        self.state.earlier_forms.add((site_id, form))

    # -- windows

    @property
    def rows(self) -> dict[int, InboxRow]:
        return self.state.rows

    @property
    def contacts(self) -> list[tuple[int, Contact]]:
        return self.state.contacts

    def everything(self, site_id: int | None = None) -> str:
        """All that is on file of a site, or of all, as text: to look for what must not be there."""
        state = self.state
        contacts = [one for one in state.contacts if site_id in (None, one[0])]
        redirects = {key: to for key, to in state.redirects.items() if site_id in (None, key[0])}
        graves = {key: grave for key, grave in state.graves.items() if site_id in (None, key[0])}
        links = {
            number: row for number, row in state.link_rows.items() if self._is_link(number, site_id)
        }
        history = [line for line in state.history if self._is_link(line[0], site_id)]
        intents = {
            name: intent
            for name, intent in state.intents.items()
            if self._is_link(state.intent_links[name], site_id)
        }
        people = [key.contact_id for key in state.by_key if site_id in (None, key.site_id)]
        remote = [place for place in state.by_remote if site_id in (None, place[0])]
        rows = self._rows_of(site_id)
        return str([rows, contacts, redirects, links, graves, history, intents, people, remote])

    def _is_link(self, link_id: int, site_id: int | None) -> bool:
        return site_id is None or self.state.link_rows[link_id].link.key.site_id == site_id

    def _rows_of(self, site_id: int | None) -> list[InboxRow]:
        return list(self.state.rows.values()) if site_id is None else self.state.rows_of(site_id)

    def source_of(self, inbox_id: int) -> tuple[Side, str]:
        """Under which name a delivery arrived."""
        new = self.state.rows[inbox_id].delivery.new
        return new.side, new.source

    def source_of_site(self, site_id: int, side: Side) -> str:
        """Under which name deliveries of a site arrive now."""
        return self.state.source(site_id, side)

    def open_count(self, site_id: int | None = None) -> int:
        return sum(row.is_open for row in self._rows_of(site_id))

    def open_intents(self, site_id: int | None = None) -> int:
        return sum(
            intent.state is IntentState.OPEN
            for name, intent in self.state.intents.items()
            if self._is_link(self.state.intent_links[name], site_id)
        )

    def history_entries(self, site_id: int | None = None) -> list[HistoryEntry]:
        return [entry for link, _, entry in self.state.history if self._is_link(link, site_id)]

    def closed_with(self, reason: str, site_id: int | None = None) -> list[tuple[str, int | None]]:
        rows = (row.delivery for row in self._rows_of(site_id))
        return [(row.new.remote_id, row.new.revision) for row in rows if row.reason == reason]

    def records_on_file(self) -> list[tuple[Side, str]]:
        links = (row.link for row in self.state.link_rows.values())
        return [
            (slot.side, known.remote_id) for link in links for slot, known in link.records.items()
        ]

    def is_held(self, site_id: int, wix: EntityRef, person: Person) -> bool:
        entity = self.directory.entity(site_id, Side.WIX, wix)
        assert entity is not None
        link_id = self.links.link_id(RatingKey(site_id, entity.id, str(person.contact_id)))
        return any(row.is_held for row in self.state.of_link(link_id))

    def held_reasons(self, site_id: int | None = None) -> list[str]:
        return sorted(row.delivery.reason for row in self._rows_of(site_id) if row.is_held)

    def held_of_source(self, side: Side, source: str) -> int:
        rows = (row for row in self.state.rows.values() if row.is_held)
        told = (row.delivery.new for row in rows)
        return sum((new.side, new.source) == (side, source) for new in told)

    def ended(self, inbox_id: int) -> tuple[InboxState | None, str]:
        row = self.state.rows.get(inbox_id)
        return (None, "") if row is None else (row.delivery.state, row.delivery.reason)

    def was_in_step(
        self, site_id: int, side: Side, record: Record, partners: Sequence[Record]
    ) -> bool:
        """Whether the ledger knows both records as they are, with all that they show agreed."""
        link_id = self.state.by_remote.get((site_id, side, record.remote_id))
        if link_id is None or len(partners) != 1:
            return False
        row = self.state.link_rows[link_id]
        known = {known.remote_id: known.revision for known in row.link.records.values()}
        shown = {one.remote_id: one.revision for one in (record, partners[0])}
        return row.intent is None and known == shown


def memory_ledger(
    now: Callable[[], float], monotonic: Callable[[], float] | None = None
) -> MemoryLedger:
    """An empty ledger on this clock (seconds), which may be set back or ahead."""
    state = MemoryState(SteadyClock(now, monotonic or now).now)
    return MemoryLedger(
        state,
        MemoryInbox(state),
        MemoryDirectory(state),
        MemoryLinks(state),
        MemoryMerges(state),
        MemorySites(state),
        MemorySiteSides(state),
        MemorySweeps(state),
        MemoryAccounts(state),
        MemoryUnlinked(),
        MemoryDecisions(state),
    )
