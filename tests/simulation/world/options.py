"""What a world is made of, and what goes wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import Policy, RecordState, Side
from sync_worker.core.values.texts import BODY, REPLY, TITLE, TextRule, WordsField
from tests.twins.memory_system import WIX_CAPABILITIES

PERCENT = Scale(Decimal(0), Decimal(100), Decimal(1))
STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
TENTHS = Scale(Decimal(0), Decimal(10), Decimal(1))
OVERALL = FieldMap("overall", "value", PERCENT, STARS)
QUALITY = FieldMap("quality", "quality", PERCENT, TENTHS, "span")

# Of the processor, for one delivery.
CPU_SECONDS = 2.0
# Makes a ledger whose database has the first clock; nobody sets the second.
LedgerMaker = Callable[[Callable[[], float], Callable[[], float]], Any]


@dataclass(frozen=True)
class Faults:
    """Chances of each fault, by occasion; all zero is a calm world."""

    duplicate: float = 0.0
    drop: float = 0.0
    drop_outside: float = 0.0  # of the external side's webhooks alone
    request_lost: float = 0.0
    response_lost: float = 0.0
    refused_connection: float = 0.0
    false_gone: float = 0.0  # a look is answered 404, but not in the words of the system
    not_done: float = 0.0  # an update or a delete is answered with success, and not carried out
    refused_again: float = 0.0  # a later try of the same call is refused, whatever the first met
    limited: float = 0.0
    crash: float = 0.0
    pause: float = 0.0
    flush: float = 0.0
    broker_loss: float = 0.0
    find_lag: float = 0.0
    vanish: float = 0.0  # an accepted create never shows
    fail: float = 0.0  # nor this one, and an event says so
    clock_jump: float = 0.0
    clock_set_back: float = 0.0  # of the ledger's database, by a day
    clock_set_ahead: float = 0.0  # of it, by a year, until somebody notices
    list_skip: float = 0.0
    list_cut: float = 0.0
    refuse: float = 0.0  # a side does not accept our credentials for up to two minutes


CALM = Faults()
Words = Mapping[Side, Mapping[str, TextRule]]
STORM = Faults(
    duplicate=0.15,
    drop=0.05,
    request_lost=0.04,
    response_lost=0.06,
    refused_connection=0.04,
    limited=0.03,
    crash=0.012,
    pause=0.008,
    flush=0.01,
    broker_loss=0.01,
    find_lag=0.2,
    clock_jump=0.004,
    clock_set_back=0.002,
    clock_set_ahead=0.002,
    list_skip=0.1,
    list_cut=0.05,
)


@dataclass
class Options:
    """What a world is made of."""

    faults: Faults = CALM
    policy: Policy = field(default_factory=Policy)
    fields: tuple[FieldMap, ...] = (OVERALL,)
    external: Capabilities = field(default_factory=lambda: Capabilities(many_fields=True))
    wix: Capabilities = field(default_factory=lambda: WIX_CAPABILITIES)
    words: Words = field(default_factory=dict)  # that the records of a side carry
    absurd: float = (
        0.0  # chance that a value outside, or a text, is one that no scale or letter has
    )
    said: float = 0.0  # chance that somebody says something; half of the time without new stars
    sites: int = 1  # whose people, things and records have the same names
    accounts: float = 0.0  # chance that an act is the owner's, on what lets us in
    removals: float = 0.0  # and then, that the owner removes our app
    decisions: float = 0.0  # chance that an act is a decision of a support person
    people: int = 2
    entities: int = 1
    acts: int = 6
    fine_edits: bool = True
    moderation: bool = False
    # On Wix, where it has moderation: of what is new there at first, and of what the owner decides
    new_on_wix: RecordState = RecordState.PUBLISHED
    new_outside: RecordState = RecordState.PUBLISHED  # of what we create there
    moderators_decide_later: bool = False  # they publish it there after some minutes
    rules_decide_later: bool = False  # who has not decided by then has published it
    owner_decides: float = 0.0  # chance that an act is a decision of the owner on Wix
    votes: float = 0.0  # and that it is a vote there
    votes_count: bool = False  # a vote raises the revision
    replied: float = 0.0  # chance that an act is an answer of the shop's owner, on either side
    # Outside every rating has pictures; chance that an act puts others to one
    pictured: float = 0.0
    replies_count: bool = True  # and that raises the revision on Wix
    read_only: str = ""  # as in MemoryRemote
    names_origin: bool = True  # as in MemorySystem
    leaves_out: bool = False  # so is this, on Wix
    normalises: bool = False
    workers: int = 3
    slots: int = 0  # of these workers, shared out among sites; 0: each takes what comes
    rings: int = 1  # how often each doorbell rings
    sends_ids: bool = True  # whether deliveries from outside have ids of their own
    strangers: int = 0  # of the people, those whom Wix comes to know as time goes by
    bursts: float = 0.0  # chance that a rating is changed many times at once
    merges: float = 0.0  # chance that an act is a merge of two contacts
    erasures: float = 0.0  # chance that an act is the privacy request of a person
    # Chance that the owner gives an external record to another person or thing
    moves: float = 0.0
    unrated: float = (
        0.0  # and that somebody who has rated outside writes again there, without stars
    )
    several: float = (
        0.2  # chance that somebody who has rated outside rates there again, where that may be
    )
    sweeps: bool = True  # whether the world ends with sweeps
    due_sweeps_only: bool = False  # and only with those that are due whatever the schedule says
    sweeps_meanwhile: bool = False  # and whether some begin while everything happens
    polls_meanwhile: bool = False  # and polls
    overlap_seconds: float = 60.0  # how far before the newest time that it has seen a poll begins
    lists_changes: bool = (
        True  # whether a poll can ask for what changed; if not, it lists everything
    )
    # Events outside name the rated thing, and only when the number of its records changes
    parent_events: bool = False
    # Whether a write that fails is tried again at once, as the HTTP client does
    tries_again: bool = False

    @property
    def words_fields(self) -> tuple[WordsField, ...]:
        """The words that both sides carry."""
        wix, external = (self.words.get(side, {}) for side in Side)
        return tuple(
            WordsField(name, wix[name], external[name]) for name in wix if name in external
        )


# As Wix Reviews has them, and a shop that has no title, and HTML for a body that must not be empty.
PLAIN_WORDS = {TITLE: TextRule(max_length=60), BODY: TextRule(max_length=60)}
SHOP_WORDS = {BODY: TextRule(is_html=True, required=True, placeholder="(no comment)")}
# The owner's reply.
ANSWERS = {
    Side.WIX: TextRule(max_length=60, can_create=False),
    Side.EXTERNAL: TextRule(can_create=False),
}
SAID: Words = {Side.WIX: PLAIN_WORDS, Side.EXTERNAL: PLAIN_WORDS}
SAID_IN_SHOP: Words = {Side.WIX: PLAIN_WORDS, Side.EXTERNAL: SHOP_WORDS}
ANSWERED: Words = {side: {**words, REPLY: ANSWERS[side]} for side, words in SAID.items()}
