"""The scenes of the chaos command: which remotes, which policies, which faults, which people."""

from __future__ import annotations

from dataclasses import replace

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import (
    Conflict,
    Deletes,
    Direction,
    EditOrDelete,
    FirstDifference,
    Pictures,
    Policy,
    RecordState,
    ReplyWays,
)
from sync_worker.core.values.sites import RejectedImport, WixApproveOurs
from tests.simulation.world import (
    ANSWERED,
    CALM,
    OVERALL,
    QUALITY,
    SAID,
    SAID_IN_SHOP,
    STORM,
    Faults,
    Options,
)
from tests.twins.memory_system import REVIEWS_CAPABILITIES

# What the connectors that ship declare (docs/platforms.md).
NO_REVISION = Capabilities(
    has_revision=False, update_precondition=False, trusts_payload=False, is_unique=False
)
LATE_CREATE = replace(NO_REVISION, create_is_async=True, can_update=False, can_delete=False)
PLATFORMS: dict[str, Options] = {
    "woocommerce": Options(STORM, external=NO_REVISION),
    "fera": Options(STORM, external=NO_REVISION, moderation=True),
    "bigcommerce": Options(STORM, external=NO_REVISION, parent_events=True),
    "late creates, no updates, no deletes": Options(
        replace(STORM, vanish=0.1, fail=0.1), external=LATE_CREATE
    ),
}
POLLED = Options(STORM, polls_meanwhile=True, overlap_seconds=2.0)
SCENES: dict[str, Options] = {
    "calm": Options(CALM),
    "storm": Options(STORM),
    "storm, two attributes": Options(STORM, fields=(OVERALL, QUALITY)),
    "storm, external edits win": Options(
        STORM,
        policy=Policy(
            first_difference=FirstDifference.EXTERNAL,
            conflict=Conflict.EXTERNAL,
            edit_or_delete=EditOrDelete.DELETE,
        ),
    ),
    "storm, no preconditions outside": Options(
        STORM, external=Capabilities(many_fields=True, update_precondition=False)
    ),
    "storm, thin events": Options(
        STORM, external=Capabilities(many_fields=True, trusts_payload=False)
    ),
    "storm, moderation": Options(STORM, moderation=True),
    "duplicates and reordering only": Options(Faults(duplicate=0.5)),
    "lost answers only": Options(Faults(response_lost=0.3)),
    "crashes only": Options(Faults(crash=0.05)),
    "pauses beyond the lease only": Options(Faults(pause=0.05)),
    "dropped webhooks only": Options(Faults(drop=0.3)),
    "redis flushed all the time": Options(replace(STORM, flush=0.2, broker_loss=0.1)),
    "storm, no revisions outside": Options(
        STORM,
        external=Capabilities(
            many_fields=True, has_revision=False, update_precondition=False, trusts_payload=False
        ),
    ),
    "storm, deletes ignored": Options(STORM, policy=Policy(deletes=Deletes.IGNORE)),
    "storm, to wix only": Options(STORM, policy=Policy(direction=Direction.TO_WIX)),
    "storm, differences held": Options(STORM, policy=Policy(first_difference=FirstDifference.HOLD)),
    "storm, delete wins": Options(
        STORM, policy=Policy(edit_or_delete=EditOrDelete.DELETE), fields=(OVERALL, QUALITY)
    ),
    "calm, contacts merge": Options(CALM, people=3, acts=10, merges=0.15),
    "storm, contacts merge": Options(STORM, people=4, acts=12, merges=0.15),
    "storm, contacts merge, two attributes": Options(
        STORM, people=3, acts=12, merges=0.15, fields=(OVERALL, QUALITY)
    ),
    "storm, people ask to be forgotten": Options(STORM, people=3, acts=12, erasures=0.12),
    "storm, people ask to be forgotten, several records outside": Options(
        STORM, people=2, acts=16, erasures=0.06, several=0.6, external=NO_REVISION
    ),
    "storm, contacts merge and people ask to be forgotten": Options(
        STORM, people=4, entities=2, acts=16, merges=0.12, erasures=0.08
    ),
    "storm, contacts merge, no revisions outside": Options(
        STORM,
        people=3,
        acts=10,
        merges=0.15,
        external=Capabilities(
            many_fields=True, has_revision=False, update_precondition=False, trusts_payload=False
        ),
    ),
    "storm, credentials refused now and then": Options(
        replace(STORM, refuse=0.02), people=3, acts=10
    ),
    "absurd values": Options(STORM, acts=10, absurd=0.3, fields=(OVERALL, QUALITY)),
    "absurd values, no revisions outside": Options(
        STORM, acts=10, absurd=0.3, external=NO_REVISION
    ),
    "many people": Options(STORM, people=4, entities=3, acts=20),
    "storm, sweeps all the time": Options(
        STORM, people=3, entities=2, acts=12, sweeps_meanwhile=True
    ),
    "storm, sweeps all the time, no revisions outside": Options(
        STORM,
        sweeps_meanwhile=True,
        external=Capabilities(
            many_fields=True, has_revision=False, update_precondition=False, trusts_payload=False
        ),
    ),
    "half of the webhooks dropped, sweeps all the time": Options(
        Faults(drop=0.5, crash=0.01, list_skip=0.2, list_cut=0.1),
        people=3,
        acts=12,
        sweeps_meanwhile=True,
    ),
    "storm, polls all the time": replace(POLLED, people=3, entities=2, acts=12),
    "storm, polls all the time, no revisions outside": replace(POLLED, external=NO_REVISION),
    "storm, polls of whole listings and sweeps all the time": replace(
        POLLED, people=3, acts=12, sweeps_meanwhile=True, lists_changes=False
    ),
    "storm, polls and sweeps all the time, two attributes": replace(
        POLLED, acts=12, sweeps_meanwhile=True, fields=(OVERALL, QUALITY)
    ),
    "storm, polls all the time, contacts merge and people ask to be forgotten": replace(
        POLLED, people=4, entities=2, acts=16, merges=0.12, erasures=0.08
    ),
    # No sweep, no webhook from outside: whatever people do there, a poll alone has to bring across.
    "polls alone see what happens outside": replace(
        POLLED,
        faults=replace(STORM, drop=0.0, drop_outside=1.0, list_skip=0.0),
        people=3,
        acts=12,
        sweeps=False,
    ),
}
# Each write is sent up to three times, as the HTTP client does, and the world goes on in between.
# Few people edit much, so that somebody does while an outcome is unknown.
THREE_TRIES = Faults(response_lost=0.35, refused_again=0.6)
TRIED = Options(THREE_TRIES, people=1, acts=12, tries_again=True)
SCENES |= {
    "three tries of each write": TRIED,
    "three tries of each write, storm": replace(
        TRIED, faults=replace(STORM, response_lost=0.2, refused_again=0.5)
    ),
    "three tries of each write, two attributes": replace(TRIED, fields=(OVERALL, QUALITY)),
    "three tries of each write, no preconditions outside": replace(
        TRIED, external=Capabilities(many_fields=True, update_precondition=False)
    ),
    "three tries of each write, no revisions outside": replace(TRIED, external=NO_REVISION),
}
# The owner of the shop gives records to other people and other products, again and again.
MOVED = Options(STORM, people=3, entities=2, acts=14, moves=0.25)
SCENES |= {
    "records move": replace(MOVED, faults=CALM),
    "records move, storm": MOVED,
    "records move, two attributes": replace(MOVED, fields=(OVERALL, QUALITY)),
    "records move, no revisions outside": replace(MOVED, external=NO_REVISION),
    "records move, contacts merge": replace(MOVED, people=4, merges=0.12),
    "records move, people ask to be forgotten": replace(MOVED, faults=CALM, erasures=0.08),
    "records move, storm, people ask to be forgotten": replace(MOVED, erasures=0.08),
    "records move, polls and sweeps all the time": replace(
        MOVED, sweeps_meanwhile=True, polls_meanwhile=True, overlap_seconds=2.0
    ),
}
SCENES["follow-ups without stars"] = Options(
    STORM, external=NO_REVISION, unrated=0.3, several=0.3, acts=12
)
# Answers that say more than happened: a 404 of a living record, a success that was none.
FALSE = Options(Faults(false_gone=0.15, not_done=0.3), people=1, acts=10)
SCENES |= {
    "false answers": FALSE,
    "false answers, storm": replace(FALSE, faults=replace(STORM, false_gone=0.1, not_done=0.2)),
    "false answers, no revisions outside": replace(FALSE, external=NO_REVISION),
    "false answers, three tries, two attributes": replace(
        FALSE, fields=(OVERALL, QUALITY), tries_again=True
    ),
}
# People say things beside their stars: in a system like ours, and in a shop that has HTML.
TALK = Options(STORM, words=SAID, said=0.6, acts=10)
IN_SHOP = replace(TALK, words=SAID_IN_SHOP, external=NO_REVISION)
SCENES |= {
    "words": TALK,
    "words, calm": replace(TALK, faults=CALM),
    "words and absurd values": replace(TALK, absurd=0.3),
    "words and absurd values in a shop": replace(IN_SHOP, absurd=0.3),
    "words, no preconditions outside": replace(
        TALK, external=Capabilities(many_fields=True, update_precondition=False)
    ),
    "words, no revisions outside": replace(TALK, external=NO_REVISION),
    "words in a shop": IN_SHOP,
    "words in a shop, moderation": replace(IN_SHOP, moderation=True),
    "words in a shop, sweeps all the time": replace(IN_SHOP, sweeps_meanwhile=True),
    "words, contacts merge and people ask to be forgotten": replace(
        TALK, people=4, entities=2, acts=16, merges=0.12, erasures=0.08
    ),
    "words, delete wins": replace(TALK, policy=Policy(edit_or_delete=EditOrDelete.DELETE)),
    "words, three tries of each write": replace(
        TALK, faults=THREE_TRIES, people=1, acts=12, tries_again=True
    ),
    "words move with their records": replace(TALK, people=3, entities=2, acts=14, moves=0.25),
    "words, polls all the time": replace(
        TALK, polls_meanwhile=True, overlap_seconds=2.0, external=NO_REVISION
    ),
}
SCENES |= PLATFORMS
# Each doorbell rings twice, at once, for workers who are all awake: they have one delivery in
# hand together, at every step of it. Some people are strangers when they rate.
AWAKE = Options(
    STORM, workers=5, rings=2, people=3, strangers=2, bursts=0.2, acts=8, sends_ids=False
)
SCENES |= {
    "all workers at one delivery, calm": replace(AWAKE, faults=CALM),
    "all workers at one delivery": AWAKE,
    "all workers at one delivery, no revisions outside": replace(AWAKE, external=NO_REVISION),
    "all workers at one delivery, contacts merge and people ask to be forgotten": replace(
        AWAKE, sends_ids=True, people=4, strangers=0, merges=0.12, erasures=0.08, acts=14
    ),
}
# Wix Reviews: the owner, the site's rules, the moderators outside and visitors who vote take turns.
REVIEWS = Options(
    STORM,
    wix=REVIEWS_CAPABILITIES,
    new_on_wix=RecordState.PENDING,
    rules_decide_later=True,
    moderation=True,
    owner_decides=0.2,
    votes=0.1,
    acts=10,
)
# The shop's owner answers on both sides.
ANSWERING = replace(
    TALK, words=ANSWERED, replied=0.25, policy=Policy(replies=ReplyWays.BOTH), acts=12
)
SCENES |= {
    "replies, calm": replace(ANSWERING, faults=CALM),
    "replies": ANSWERING,
    "replies, no revisions outside": replace(ANSWERING, external=NO_REVISION),
    "replies, contacts merge and people ask to be forgotten": replace(
        ANSWERING, people=4, entities=2, acts=16, merges=0.12, erasures=0.08
    ),
    "replies move with their records": replace(
        ANSWERING, people=3, entities=2, acts=14, moves=0.25
    ),
    "replies of reviews that raise no revision": replace(
        ANSWERING, wix=REVIEWS_CAPABILITIES, replies_count=False, external=NO_REVISION
    ),
}
# What we create outside waits for a moderator there.
WAITING = Options(
    STORM,
    moderation=True,
    new_outside=RecordState.PENDING,
    moderators_decide_later=True,
    external=NO_REVISION,
    acts=10,
)
SCENES |= {
    "copies wait outside": replace(WAITING, external=Options().external),
    "copies wait outside, no revisions": WAITING,
}
BUMPED = replace(REVIEWS_CAPABILITIES, revision_covers_state=True)
SCENES |= {
    "reviews, calm": replace(REVIEWS, faults=CALM),
    "reviews": REVIEWS,
    "reviews, published at once": replace(REVIEWS, new_on_wix=RecordState.PUBLISHED),
    "reviews, the owner decides on each": replace(REVIEWS, rules_decide_later=False),
    "reviews, moderation raises the revision": replace(REVIEWS, wix=BUMPED),
    "reviews, votes raise the revision": replace(REVIEWS, votes=0.3, votes_count=True),
    "reviews, those of visitors cannot be changed": replace(REVIEWS, read_only="conflict"),
    "reviews, those of visitors are forbidden to us": replace(REVIEWS, read_only="forbidden"),
    "reviews, rejected imports take their source along": replace(
        REVIEWS, policy=Policy(rejected_import=RejectedImport.DELETE)
    ),
    "reviews, ours are approved": replace(
        REVIEWS, policy=Policy(wix_approve_ours=WixApproveOurs.APPROVE), rules_decide_later=False
    ),
    "reviews, copies wait outside": replace(REVIEWS, new_outside=RecordState.PENDING),
    "reviews, no revisions outside": replace(REVIEWS, external=NO_REVISION),
    "reviews, sweeps all the time": replace(REVIEWS, sweeps_meanwhile=True),
}
# Pictures travel when a review is made on Wix, and never later.
PICTURED = replace(
    REVIEWS,
    wix=replace(REVIEWS_CAPABILITIES, media=True),
    external=Capabilities(many_fields=True, media=True),
    policy=Policy(pictures=Pictures.TO_WIX),
    pictured=0.2,
)
SCENES |= {
    "reviews, pictures, calm": replace(PICTURED, faults=CALM),
    "reviews, pictures": PICTURED,
    "reviews, pictures, no revisions outside": replace(
        PICTURED, external=replace(NO_REVISION, media=True)
    ),
    "reviews, pictures stay": replace(PICTURED, policy=Policy()),
}
# Support people decide about single ratings: both sides show X, undo, choose, compare, stop.
DECIDED = Options(STORM, decisions=0.5, acts=20)
SCENES |= {
    "decisions, calm": replace(DECIDED, faults=CALM),
    "decisions": DECIDED,
    "decisions, two attributes": replace(DECIDED, fields=(OVERALL, QUALITY)),
    "decisions, no preconditions outside": replace(
        DECIDED, external=Capabilities(many_fields=True, update_precondition=False)
    ),
    "decisions, no revisions outside": replace(DECIDED, external=NO_REVISION),
    "decisions, differences held": replace(
        DECIDED, policy=Policy(first_difference=FirstDifference.HOLD)
    ),
    "decisions, lost answers and crashes": replace(
        DECIDED, faults=Faults(response_lost=0.3, crash=0.05), people=1
    ),
    "decisions, words": replace(DECIDED, words=SAID, said=0.6),
    "decisions, words in a shop": replace(
        DECIDED, words=SAID_IN_SHOP, said=0.6, external=NO_REVISION
    ),
    "decisions, contacts merge and people ask to be forgotten": replace(
        DECIDED, people=3, merges=0.12, erasures=0.08
    ),
    "decisions, to wix only": replace(DECIDED, policy=Policy(direction=Direction.TO_WIX)),
    "decisions, accounts come and go": replace(DECIDED, sites=2, accounts=0.2, acts=18),
}
# Two sites whose people, products and records have the same names on both.
TWO_SITES = Options(STORM, sites=2, acts=10)
SCENES |= {
    "two sites, calm": replace(TWO_SITES, faults=CALM),
    "two sites": TWO_SITES,
    "two sites share the slots of a worker": replace(TWO_SITES, workers=4, slots=3),
    "two sites, no revisions outside": replace(TWO_SITES, external=NO_REVISION),
    "two sites, contacts merge and people ask to be forgotten": replace(
        TWO_SITES, people=3, acts=12, merges=0.1, erasures=0.08
    ),
    "two sites, records move": replace(TWO_SITES, entities=2, moves=0.2),
    "two sites, polls and sweeps all the time": replace(
        TWO_SITES, sweeps_meanwhile=True, polls_meanwhile=True, overlap_seconds=2.0
    ),
    "two sites, credentials refused now and then": replace(
        TWO_SITES, faults=replace(STORM, refuse=0.02)
    ),
}
# Their owners pause, revoke and give again what lets us in, and remove and install the app.
CHANGING = replace(TWO_SITES, accounts=0.3, acts=14)
SCENES |= {
    "two sites, accounts come and go, calm": replace(CHANGING, faults=CALM),
    "two sites, accounts come and go": CHANGING,
    "two sites, accounts and the app come and go": replace(
        CHANGING, removals=0.4, external=NO_REVISION
    ),
    # Nothing else finds what nobody told meanwhile.
    "two sites, accounts and the app come and go, due sweeps only": replace(
        CHANGING, faults=replace(STORM, drop=0.0), removals=0.5, due_sweeps_only=True
    ),
}
# Where no webhook is lost for good, the engine needs nobody to sweep behind it; but where the event
# of a move overtakes that of the create, two ratings have the record, and a sweep finds that out.
WITHOUT_SWEEPS = ", nothing dropped, no sweep"
SCENES |= {
    f"{name}{WITHOUT_SWEEPS}": replace(
        options, faults=replace(options.faults, drop=0.0), sweeps=False
    )
    for name, options in SCENES.items()
    if options.sweeps
    and name != "dropped webhooks only"
    and not options.parent_events
    and not options.moves
    and not options.wix.can_moderate
    and options.sites == 1
}
