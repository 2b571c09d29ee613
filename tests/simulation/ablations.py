"""Off switches for the mechanisms of the engine, on the test's side only: production code
has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sync_worker.core.errors import Permanent, Transient
from sync_worker.core.plan import InStep
from sync_worker.core.ports.inbox import Stored
from sync_worker.core.ports.links import Commit, LeasedLink
from sync_worker.core.sweep_values import Absences, Mark, OnFile, Sweep
from sync_worker.core.values import (
    Base,
    Buried,
    Delivery,
    InboxState,
    Intent,
    Lease,
    Located,
    NewDelivery,
    Policy,
    Record,
    Side,
    Site,
    Slot,
    Standing,
)
from sync_worker.core.values.record_identity import UNCOMPARED, Changed
from sync_worker.core.values.texts import TextRule, WordsField
from sync_worker.engine import (
    deliveries,
    erased,
    history_lines,
    link_plan,
    link_run,
    news,
    next_step,
    placing,
    record_view,
    settling,
    view,
    writing,
)
from sync_worker.engine.deciding.planning import DecidedPlan
from sync_worker.engine.deciding.taking import DecisionsInHand
from sync_worker.engine.deliveries import Deliveries
from sync_worker.engine.holds.accounts import AccountWatch
from sync_worker.engine.holds.looking_again import Holds
from sync_worker.engine.lease_keeper import LeaseKeeper
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.moderation import calls, visibility
from sync_worker.engine.moves import moves, strays
from sync_worker.engine.placing import Placing
from sync_worker.engine.record_view import RecordView
from sync_worker.engine.settlement import Settlement
from sync_worker.engine.settling import Settling
from sync_worker.engine.view import View
from sync_worker.engine.words import planning
from sync_worker.engine.writes import limits, values
from sync_worker.engine.writes.echoes import Echoes
from sync_worker.engine.writes.limits import WriteLimits
from sync_worker.engine.writes.written import Written
from sync_worker.engine.writing import Writing
from sync_worker.intake import contact_events as contact_events_module
from sync_worker.intake import raters as raters_module
from sync_worker.intake.parent_events import ParentEvents
from sync_worker.intake.resolve import NOT_PUBLISHED, Resolver
from sync_worker.ledger import database
from sync_worker.ledger.database import SteadyClock
from sync_worker.reconcile import marks, page_comparison
from sync_worker.reconcile.listing import Listings
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.remotes import landed
from sync_worker.remotes.http.outage import SlotShares
from sync_worker.remotes.http.retries import CallTries
from tests.simulation.world import going_on as world_module
from tests.twins import memory_links
from tests.twins.memory_accounts import MemoryAccounts
from tests.twins.memory_directory import MemoryDirectory
from tests.twins.memory_guard import MemoryGuard
from tests.twins.memory_inbox import MemoryInbox
from tests.twins.memory_links import MemoryLinks
from tests.twins.memory_merges import MemoryMerges
from tests.twins.memory_remote import MemoryRemote
from tests.twins.memory_sites import MemorySites
from tests.twins.memory_state import MemoryState
from tests.twins.memory_sweeps import MemorySweeps

Switch = tuple[Any, str, Any]


@contextmanager
def without(*mechanisms: str) -> Iterator[None]:
    """These mechanisms are off inside the block."""
    with ExitStack() as stack:
        for mechanism in mechanisms:
            for owner, name, replacement in (MECHANISMS | PEOPLE_MECHANISMS)[mechanism]:
                original = getattr(owner, name)
                setattr(owner, name, replacement)
                stack.callback(setattr, owner, name, original)
        yield


_lease, _locate, _release_row = MemoryLinks.lease, MemoryDirectory.locate, MemoryState.release_row
_store, _update = MemoryInbox.store, MemoryRemote.update
_site_of = MemoryState.site_of


def _lease_for_all(self: MemoryLinks, link_id: int) -> LeasedLink | None:
    self.state.link_rows[link_id].lease_until = 0.0
    return _lease(self, link_id)


def _any_holder(self: MemoryState, lease: Lease) -> Any:
    return self.link_rows[lease.link_id]


def _intent_forgotten(self: MemoryLinks, lease: Lease, intent: Intent) -> bool:
    self.state.leased(lease)
    return True


def _one_base_for_both(self: MemoryLinks, link_id: int) -> LeasedLink | None:
    run = _lease(self, link_id)
    if run is None:
        return None
    fields = {field.attribute: field for field in run.site.fields}
    bases = {
        name: Base(
            None if base.external is None else fields[name].to_wix(Decimal(base.external)),
            base.external,
        )
        for name, base in run.link.bases.items()
        if name in fields
    }
    return replace(run, link=replace(run.link, bases=bases))


def _store_all(self: MemoryInbox, delivery: NewDelivery) -> Stored:
    again = f"{delivery.dedupe_id}-{len(self.state.rows)}"
    return _store(self, replace(delivery, dedupe_id=again))


def _locate_without_graves(
    self: MemoryDirectory, site_id: int, side: Side, remote_id: str
) -> Located:
    located = _locate(self, site_id, side, remote_id)
    return located if located.is_on_file else Located()


def _commit_without_sources(view: View, intent: Intent) -> Mapping[Any, Any]:
    return {}


def _released_as_told(self: MemoryState, inbox_id: int) -> None:
    _release_row(self, inbox_id)
    row = self.rows[inbox_id]
    row.delivery = replace(row.delivery, must_read=False)


def _update_regardless(self: MemoryRemote, remote_id: str, draft: Any, revision: int | None) -> Any:
    known, self.capabilities = (
        self.capabilities,
        replace(self.capabilities, update_precondition=False),
    )
    try:
        return _update(self, remote_id, draft, revision)
    finally:
        self.capabilities = known


def _never_look_first(view: View, write: SlotWrite) -> bool:
    return False


def _refuse_to_adopt(self: Writing, intent: Any, duplicate: Any) -> None:
    self.abandon()
    raise Transient("there is a record already")


def _as_the_database_shows(self: SteadyClock, *noted: float | None) -> float:
    return self.raw()


def _nothing(*arguments: Any, **named: Any) -> None:
    return None


def _as_it_is(self: MemoryInbox, delivery: Delivery) -> Delivery:
    return delivery


def _nobody(*arguments: Any, **named: Any) -> list[int]:
    return []


def _none_at_all(*arguments: Any, **named: Any) -> tuple[()]:
    return ()


_pass_on = MemoryLinks._pass_on


def _passed_on_as_ended(self: MemoryLinks, lease: Lease, hint: NewDelivery) -> int | None:
    inbox_id = _pass_on(self, lease, hint)
    if inbox_id is None:
        return None
    row = self.state.rows[inbox_id]
    row.delivery = replace(row.delivery, state=InboxState.DONE)
    return inbox_id


def _no_slots(*arguments: Any) -> dict[Slot, Any]:
    return {}


def _never(*arguments: Any, **named: Any) -> bool:
    return False


def _as_planned(view: View, name: str, action: Any) -> Any:
    return action


def _uncompared(*arguments: Any) -> Changed:
    return UNCOMPARED


def _as_they_come(inbox: MemoryInbox, inbox_ids: list[int]) -> list[int]:
    return inbox_ids


def _always(*arguments: Any, **named: Any) -> bool:
    return True


_note_absences, _put = MemorySweeps.note_absences, MemorySweeps._put
_list_page = Listings._list_page


def _due_at_once(self: MemorySweeps, sweep: Sweep, side: Side) -> Absences:
    for place in self.state.by_remote:
        self.state.missing.setdefault(place, 0)
    return _note_absences(self, sweep, side)


def _put_as_told(self: MemorySweeps, key: Any, row: Any, new: NewDelivery) -> Any:
    return _put(self, key, replace(row, must_read=False), new)


def _failed_page_ends_the_listing(self: Listings, side: Side) -> None:
    try:
        _list_page(self, side)
    except Transient:
        self._end_listing(side, [], {})


def _begin_again_each_time(self: Listings, side: Side, refusal: Permanent) -> None:
    self.run.move(self.run.sweep.phase, None, {})
    self.run.runs.restart_listing(self.run.sweep, side)


def _no_more(*arguments: Any, **named: Any) -> int:
    return 0


_mark_of = marks.mark_of


def _open_of_link(state: MemoryState, link_id: int | None) -> list[Any]:
    return [row for row in state.of_link(link_id) if row.is_open]


def _mark_but_for_what_is_held(
    record: Record, side: Side, known: OnFile, site: Site, words: Any
) -> Mark:
    return _mark_of(record, side, replace(known, is_held=False), site, words)


def _news_by_revision(self: View, delivery: Delivery, slot: Slot) -> bool:
    known = self.memory.get(slot)
    if known is None or known.remote_id != delivery.new.remote_id:
        return True
    return not news.is_older(delivery.new.revision, known.revision)


def _mark_by_revision(record: Record, known: OnFile, values: Any) -> Mark:
    if record.revision is not None and known.revision is not None:
        return Mark.OPEN if record.revision > known.revision else Mark.IN_STEP
    return Mark.OPEN


def _newer(*arguments: Any) -> news.NewsOfKnown:
    return news.NewsOfKnown.NEWER


def _as_before(view: View, operation: Any, before: Standing, record: Record) -> Standing:
    return before


def _approve_all(shown: Any, external: Any) -> str:
    return visibility.SHOWN_OUTSIDE


def _tell_guard_all(self: Writing, unsaved: Any, buried: Any) -> None:
    slot = unsaved.intent.slot
    known = unsaved.commit.records.get(slot)
    if known is not None and known.revision:
        site_id, intent_id = self.view.run.site.id, unsaved.intent.id
        self.guard.remember(site_id, slot.side, known.remote_id, known.revision, intent_id)


def _bury_hidden(self: Resolver, delivery: Delivery, record: Record) -> Any:
    gone = Buried(delivery.new.side, record.remote_id, record.revision, record.sequence)
    return self._bury(gone, NOT_PUBLISHED)


def _as_planned_of(view: View, name: str, field: Any, action: Any, *more: Any) -> Any:
    return action


def _never_rejected(shown: Any, known: Any) -> bool:
    return False


def _always_left(*arguments: Any) -> bool:
    return True


def _pictures_outside(view: View, told: Any) -> tuple[str, ...]:
    return view.record_views[Slot(Side.EXTERNAL)].media


def _as_one_write(write: SlotWrite, record_view: RecordView) -> SlotWrite:
    return write


def _as_of_all(self: Policy) -> Policy:
    return self


def _byte_for_byte(self: WordsField, side: str, wanted: str, shown: str) -> bool:
    return wanted == shown


def _carried_though_short(self: WordsField, text: str, rule: TextRule, there: TextRule) -> bool:
    return True


def _only_what_is_seen(view: View, write: SlotWrite, shown: Any) -> dict[str, Any]:
    return dict(shown)


def _not_held(view: View, field: WordsField) -> InStep:
    return InStep()


def _by_connector(site: Site) -> str:
    return site.connector


def _site_of_connector(self: MemoryState, new: NewDelivery) -> Site | None:
    for site in self.site_rows.values():
        if new.side is Side.EXTERNAL and site.connector == new.source.partition("/")[0]:
            return site
    return _site_of(self, new)


def _sources_as_shown(view: View, decided: Any, side: Side, sources: Any) -> Any:
    return sources


MECHANISMS: dict[str, tuple[Switch, ...]] = {
    # tests/simulation/test_decisions_kept.py
    "what whoever decided has seen": ((DecidedPlan, "_is_edited", _never),),
    "newer edit than what was begun": ((DecidedPlan, "newer_edits", _none_at_all),),
    "decision in hand as a write is settled": ((link_run, "decision_in_hand", _nothing),),
    "first write agrees to nothing": ((values, "sources_of", _sources_as_shown),),
    "standing still where a person stopped it": ((DecisionsInHand, "_stop", _nothing),),
    "decision passes the loop breaker": ((limits, "is_of_decision", _never),),
    # tests/simulation/test_sites.py
    "remotes by account": ((world_module, "source_of_account", _by_connector),),
    "deliveries of an ended account": ((MemoryState, "follow_account", _never),),
    "sweep after a gap": (
        (MemorySites, "_ask_for_sweep", _nothing),
        (MemoryAccounts, "_ask_for_sweep", _nothing),
    ),
    "end of what is told of a removed site": ((MemorySites, "_begins_anew", _never),),
    # tests/simulation/test_neighbours.py
    "share of the slots": ((SlotShares, "enter", _always), (SlotShares, "leave", _nothing)),
    "turns of sites": ((MemoryInbox, "_in_turns", _as_they_come),),
    "look for what a twin absorbed": ((MemoryState, "_absorb", _nothing),),
    "site by account": ((MemoryState, "site_of", _site_of_connector),),
    # tests/simulation/test_words_held.py
    "words of a record out of sight": ((writing, "shown_after", _only_what_is_seen),),
    "hold of an edit that waits": ((planning, "_kept_back", _not_held),),
    # tests/simulation/test_words.py
    "normal form of words": ((WordsField, "is_alike", _byte_for_byte),),
    "no way back for a shortened text": ((WordsField, "_fits", _carried_though_short),),
    "look at words that nobody knows": ((next_step, "has_untold_words", _never),),
    "words keep their record alive": ((link_plan, "sides_reworded", _nobody),),
    "news of the rest of a record": ((values, "has_more_to_say", _never),),
    "words listed without a number": ((marks, "says_something_new", _never),),
    "words in an answer": ((writing, "is_left_to_remote", _always_left),),
    # tests/simulation/test_pictures.py
    "pictures go along": ((values, "pictures_for", _none_at_all),),
    "pictures by policy": ((values, "pictures_for", _pictures_outside),),
    # tests/simulation/test_replies.py
    "reply by a call of its own": ((link_plan, "_reply_apart", _as_one_write),),
    "reply at the revision on file": ((deliveries, "tells_other_reply", _never),),
    "reply that ours covered": ((deliveries, "lines_for_covered_reply", _nobody),),
    "nothing agreed": ((next_step, "is_unagreed", _never),),
    "reply that our delete took": ((deliveries, "lines_for_deleted_reply", _nobody),),
    "reply listed at the revision on file": ((marks, "says_something_new", _never),),
    "ways of replies": ((Policy, "of_replies", _as_of_all),),
    "a reply is not the person's": ((planning, "without_reply", list),),
    # tests/simulation/test_waiting_copies.py
    "look at what counted as gone": ((writing, "look_for_hidden", _nothing),),
    # tests/simulation/test_deleted_at_once.py
    "what was deleted at once": ((values, "left_if_gone", _no_slots),),
    "deletion heard before its creation": ((Resolver, "_key_of_lost_create", _nothing),),
    "copies that wait": ((link_plan, "plan_of_copy", _as_planned_of),),
    # tests/simulation/test_unseen.py
    "hidden from us": ((view, "may_be_hidden", _never),),
    # tests/simulation/test_moderation.py
    "state beside the revision": ((View, "is_news", _news_by_revision),),
    "listed state beside the revision": ((marks, "_mark_of_linked", _mark_by_revision),),
    "order of states by their sequence": ((news, "_news_of_state", _newer),),
    "who made a record": ((calls, "standing_written", _as_before),),
    "hidden on one side": ((link_plan, "seen_with_visibility", _as_planned),),
    "withdrawing what is only hidden": ((link_plan, "is_only_hidden", _never),),
    "approving only what we withdrew": ((visibility, "_reason_to_approve", _approve_all),),
    "imports that nobody wanted": ((visibility, "_is_unwanted_import", _never),),
    "refusal at the right revision": ((writing, "note_conflict", _nothing),),
    "guard leaves states alone": ((Writing, "_tell_guard", _tell_guard_all),),
    "hidden reviews before they are known": ((Resolver, "_key_of_hidden", _bury_hidden),),
    "rejection on record": ((history_lines, "is_rejected_now", _never_rejected),),
    # tests/simulation/test_false_answers.py
    "standing still after a loss": ((Writing, "_hold_for_loss", _nothing),),
    "loss that only a person ends": ((Holds, "is_for_a_person", False),),
    "whose a record is": ((next_step, "is_stray", _never), (moves, "names_another", _never)),
    "whose a listed record is": (
        (marks, "has_moved", _never),
        (page_comparison, "has_moved", _never),
    ),
    "what a record showed itself": (
        (record_view, "identity_shown", _nothing),
        (strays, "changed_since", _uncompared),
        (moves, "changed_since", _uncompared),
        (marks, "shows_another", _always),
        (page_comparison, "shows_another", _always),
    ),
    "delivery of a moved record": ((MemoryLinks, "_pass_on", _passed_on_as_ended),),
    "one rating for whom it names": ((moves.Moves, "_refuse_second_rating", _nothing),),
    "probe of a failing account": ((AccountWatch, "probe_some", _no_more),),
    "cheap read after a refusal": ((AccountWatch, "_is_accepted", _never),),
    "rated before unrated": ((placing.Placing, "_put_telling", placing.Placing._put_newest),),
    "look at what is held": (
        (memory_links, "ready_of_link", _open_of_link),
        (marks, "mark_of", _mark_but_for_what_is_held),
        (page_comparison, "mark_of", _mark_but_for_what_is_held),
        (MemorySweeps, "list_held", _nothing),
    ),
    "lease": ((MemoryLinks, "lease", _lease_for_all), (MemoryState, "leased", _any_holder)),
    "fence": ((MemoryState, "leased", _any_holder),),
    "bound of processor time": ((LeaseKeeper, "refuse_if_costly", _nothing),),
    "pause check": ((LeaseKeeper, "_refuse_if_late", _nothing),),
    "intent": ((MemoryLinks, "open_intent", _intent_forgotten),),
    "settling by looking": ((Settlement, "settle", _nothing),),
    "look after a delete": ((landed, "refuse_living", _nothing),),
    "gone in the system's words": ((MemoryRemote, "_gone_by_status", _nothing),),
    "tries taken together": ((CallTries, "verdict", lambda self, error: error),),
    "waiting for the echo": ((Settlement, "_wait_for_echo", _nothing),),
    "edit since our look": ((Settlement, "_is_edited_since", _never),),
    "echo as acknowledgement": ((MemoryInbox, "evidence", _nothing),),
    "seen revision": ((View, "is_news", _always),),
    "loop guard": ((MemoryGuard, "recall", _nothing),),
    "one held word of a record": ((MemoryInbox, "_stand_as_one", _nothing),),
    "gathering of a crowd": ((MemoryInbox, "gather", _as_it_is),),
    "dedupe at the door": ((MemoryInbox, "store", _store_all),),
    "tombstones": ((MemoryDirectory, "locate", _locate_without_graves),),
    "look at what was buried meanwhile": ((Commit, "is_dead", _never),),
    "source records on file": ((values, "source_records", _commit_without_sources),),
    "base for each side": ((MemoryLinks, "lease", _one_base_for_both),),
    "clock that never goes back": ((SteadyClock, "now", _as_the_database_shows),),
    "bound of a jump ahead": ((database, "MAX_JUMP_SECONDS", float("inf")),),
    "sweeper": ((MemoryInbox, "due", _nobody),),
    "look after the release": ((MemoryLinks, "_fresh", _nobody),),
    "reading what was released": ((MemoryState, "release_row", _released_as_told),),
    "precondition": ((MemoryRemote, "update", _update_regardless),),
    "look before a write without precondition": (
        (next_step, "must_look_first", _never_look_first),
    ),
    "adopting a duplicate": ((Writing, "_adopt", _refuse_to_adopt),),
    "loop breaker": ((WriteLimits, "_refuse_if_fighting", _nothing),),
    "gap record": (
        (Settlement, "_note_unknown", _nothing),
        (Echoes, "note_covered", _nothing),
        (history_lines, "lines_for_revision_gap", _nobody),
    ),
    "own write of unknown outcome": ((Written, "note_maybe_ours", _nothing),),
    "waiting for an accepted create": ((Settling, "_wait_for", _nothing),),
    "hearing of a failed create": ((Settling, "_failures_of", _nobody),),
    "text of an accepted create": ((Settlement, "_is_somebodys_own", _never),),
    "shadowing": ((View, "shadow", _nothing),),
    "guests wait at the door": (
        (Deliveries, "_is_let_in", _always),
        (placing, "may_be_anybodys", _never),
    ),
    "guests change nothing": ((link_plan, "guarded", _as_planned),),
    "hints for children": ((ParentEvents, "_hints_of", _nobody),),
    "refusing what is not offered": ((link_plan, "refusal_of", _nothing),),
    "stars without refused words": ((writing, "note_refused_words", _nothing),),
    "each of the refused words alone": ((Written, "_are_of_many", _never),),
    "stars before words that do not land": ((settling, "note_not_landed", _nothing),),
    "locks of records": ((link_plan, "lock_of", _nothing),),
    "look at what may be locked": ((next_step, "may_be_locked", _never),),
    "check of what was returned": ((Writing, "_note_differing", _nothing),),
    "two sweeps": ((MemorySweeps, "note_absences", _due_at_once),),
    "by-id confirmation": ((Reconcile, "_is_gone", _always), (MemorySweeps, "_put", _put_as_told)),
    "complete listing": ((Listings, "_list_page", _failed_page_ends_the_listing),),
    "page that brings nothing new": ((MemorySweeps, "has_shown_all", _never),),
    "three tries of a listing": ((Listings, "_begin_again", _begin_again_each_time),),
    "half of the listing": ((MemorySweeps, "_is_too_little", _never),),
    "brake of a sweep": ((MemorySweeps, "brake", _no_more),),
    "brake of an hour": ((MemoryLinks, "deletes_exceeded", _never),),
}
# These need people who merge or leave: tests/simulation/test_people.py.
PEOPLE_MECHANISMS: dict[str, tuple[Switch, ...]] = {
    "memory of merges": ((MemoryMerges, "redirect", _nothing),),
    "joining of links": (
        (MemoryLinks, "_merged_into", _nothing),
        (MemoryLinks, "_links_to_join", _none_at_all),
    ),
    "nearest contact": ((Placing, "_is_nearer", _always),),
    "erasure of every link": (
        (MemoryMerges, "hint_erasure", _nobody),
        (MemoryMerges, "links_of", _nobody),
    ),
    "erasure with the last commit": ((MemoryLinks, "_erase_link", _nothing),),
    "erasure of shadowed records": ((next_step, "shadowed_left", _nobody),),
    "grave of a contact": ((contact_events_module, "is_erased", _never),),
    # What is held under such an address is emptied, too: both are off.
    "grave of an address": (
        (raters_module, "is_erased_address", _never),
        (erased, "names_erased", _never),
    ),
}
