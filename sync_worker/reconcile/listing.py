"""Lists both sides page by page, and keeps what differs from the ledger.

Absence is not deletion: only a complete listing tells what is missing in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sync_worker.core.errors import Permanent
from sync_worker.core.pages_seen import TOO_LONG, shows_nothing_new
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.merges import Merges
from sync_worker.core.ports.remote import Connection, Page, words_between
from sync_worker.core.sweep_values import Absences, Listed, Phase, RunKind
from sync_worker.core.values import Record, Side, Site
from sync_worker.intake.resolve import Resolver
from sync_worker.reconcile.bulk_people import BulkPeople
from sync_worker.reconcile.page_comparison import PageComparison, creating_nobody
from sync_worker.reconcile.sweep_run import SweepRun

LISTING = {Phase.EXTERNAL: Side.EXTERNAL, Phase.WIX: Side.WIX}
# Of one listing, from its first page.
MAX_TRIES = 3
# In a row, that lead on: no listing of ours filters out so many rows.
MAX_EMPTY_PAGES = 20
# The external side comes first; after both, what they did not show is looked for.
AFTER = {Side.EXTERNAL: Phase.WIX, Side.WIX: Phase.CONFIRM}


@dataclass(frozen=True, slots=True)
class Listings:
    """The listings of one run. ``directory``: what is found on the way is kept there."""

    run: SweepRun
    site: Site
    ledger: Ledger
    connection: Connection
    directory: Directory
    merges: Merges
    people: BulkPeople

    def list_both(self) -> bool:
        """List what is left of both sides (of a poll: of the changes); whether that is all."""
        while self.run.sweep.phase in LISTING:
            if self.run.pace.is_over():
                return False
            if self._is_left_out(LISTING[self.run.sweep.phase]):
                self._skip(LISTING[self.run.sweep.phase])
                continue
            self._list_page(LISTING[self.run.sweep.phase])
            self.run.pace.report(self.run.sweep)
        return True

    def _is_left_out(self, side: Side) -> bool:
        """Whether this run does not look at a side: its webhooks tell of it."""
        return self.run.sweep.kind is RunKind.POLL and side not in self.connection.polled

    def _skip(self, side: Side) -> None:
        self.run.move(self._after(side), None, {})
        self.run.save()

    def _after(self, side: Side) -> Phase:
        """The phase that follows the listing of a side."""
        following = AFTER[side]
        if self.run.sweep.kind is not RunKind.POLL:
            return following
        # What a poll does not show has not changed: nothing is missing.
        is_next = following in LISTING and LISTING[following] in self.connection.polled
        return following if is_next else Phase.APPLY

    def _list_page(self, side: Side) -> None:
        try:
            page = self.run.patiently(lambda: self._page_of(side))
            self._refuse_repeated(side, page)
        except Permanent as refusal:
            # The first page: it is the listing itself that is refused.
            if self.run.sweep.page is None:
                raise
            self._begin_again(side, refusal)
            return
        self.run.note_newest(page)
        rows = self._rows_of(side, page.records)
        counts = {f"listed_{side}": len(page.records), **self._empty_pages(side, page)}
        # Not lost without a word: what cannot be read is counted with what can.
        if page.unreadable:
            counts[f"unreadable_{side}"] = page.unreadable
        # the last page
        if page.cursor is None:
            self._end_listing(side, rows, counts)
            return
        # The place moves with the rows, in one transaction: a killed run loses no row.
        self.run.move(self.run.sweep.phase, page.cursor, counts)
        self.run.save(rows)

    def _refuse_repeated(self, side: Side, page: Page) -> None:
        """A page that leads on but brings nothing new would lead on for ever. Raises Permanent."""
        if page.cursor is None or self.run.sweep.page is None:
            return
        if not page.records:
            if self.run.sweep.counts.get(f"empty_{side}", 0) >= MAX_EMPTY_PAGES:
                raise shows_nothing_new(self._name_of_listing(side))
            return
        ids = [record.remote_id for record in page.records]
        if self.run.runs.has_shown_all(self.run.sweep, side, ids):
            raise shows_nothing_new(self._name_of_listing(side))

    def _empty_pages(self, side: Side, page: Page) -> dict[str, int]:
        """What changes in the count of empty pages in a row that lead on."""
        so_far = self.run.sweep.counts.get(f"empty_{side}", 0)
        if page.cursor is not None and not page.records and not page.unreadable:
            return {f"empty_{side}": 1}
        return {f"empty_{side}": -so_far} if so_far else {}

    def _name_of_listing(self, side: Side) -> str:
        """What a person has to look at."""
        if side is Side.WIX:
            return f"Query {self.site.wix_api.capitalize()} of Wix, by cursor"
        return f"check operations.list.pagination of connector {self.site.connector}"

    def _page_of(self, side: Side) -> Page:
        connection, sweep = self.connection, self.run.sweep
        # a poll: what changed since the last one, on the external side; Wix lists all it has
        is_poll = sweep.kind is RunKind.POLL and side is Side.EXTERNAL
        if is_poll and connection.changed is not None:
            return connection.changed(sweep.since, sweep.page)
        return connection.remotes[side].list_page(sweep.page)

    def _rows_of(self, side: Side, records: Sequence[Record]) -> list[Listed]:
        resolver = Resolver(
            self.directory,
            self.ledger.links,
            self.merges,
            replace(self.connection, people=self.people),
            creating_nobody(self.site),
        )
        taken = {field.attribute for field in self.site.fields}
        can = {of: remote.capabilities for of, remote in self.connection.remotes.items()}
        comparison = PageComparison(
            self.run.runs,
            self.directory,
            self.people,
            resolver,
            self.site,
            words_between(can, self.site.policy, taken),
        )
        return comparison.rows_of(side, records)

    def _begin_again(self, side: Side, refusal: Permanent) -> None:
        """List this side from its beginning; what was counted of it counts no more.

        Raises the refusal where that would not help.
        """
        sweep, counted, tries = self.run.sweep, f"listed_{side}", f"begun_again_{side}"
        begun_again = sweep.counts.get(tries, 0)
        # A cursor does not live for ever, and a listing may be cut by chance: but not each time.
        is_hopeless = refusal.reason == TOO_LONG or begun_again + 1 >= MAX_TRIES
        more = -begun_again if is_hopeless else 1
        anew = {counted: -sweep.counts.get(counted, 0), tries: more}
        for name in (f"unreadable_{side}", f"empty_{side}"):
            if counted_so := sweep.counts.get(name):
                anew[name] = -counted_so
        self.run.move(sweep.phase, None, anew)
        self.run.runs.restart_listing(self.run.sweep, side)
        # The next run begins where this one began, with tries of its own.
        if is_hopeless:
            raise refusal

    def _end_listing(self, side: Side, rows: Sequence[Listed], counts: Mapping[str, int]) -> None:
        """The listing is complete: only now can something be missing in it."""
        if self.run.sweep.kind is RunKind.POLL:
            self.run.move(self._after(side), None, counts)
            self.run.save(rows)
            return
        # Saved before it is looked at, with its last page still to be listed again if we die in
        # between.
        self.run.save(rows)
        absences = self._note_absences(side)
        # Both sides are listed: what is held of other records is looked for by id.
        if side is Side.WIX:
            self.run.runs.list_held(self.run.sweep)
        self.run.move(AFTER[side], None, {**counts, **_counted(side, absences)})
        self.run.save()

    def _note_absences(self, side: Side) -> Absences:
        remote = self.connection.remotes[side]
        # Some listings leave out what exists.
        if not remote.capabilities.absence_counts:
            return Absences(0, 0)
        return self.run.runs.note_absences(self.run.sweep, side)


def _counted(side: Side, absences: Absences) -> dict[str, int]:
    return {
        f"missing_{side}": absences.missing,
        f"due_{side}": absences.due,
        f"refused_{side}": int(absences.is_refused),
    }
