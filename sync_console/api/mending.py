"""What programs do with held ones and with what is on its way."""

from __future__ import annotations

from collections.abc import Callable

from flask import g

from sync_console.api import answers
from sync_console.api.asked import MAX_AT_ONCE, GivenContact, GivenProduct, HeldAct, OfSite
from sync_console.api.endpoints import post
from sync_console.api.looking import HELD
from sync_console.api.theirs import held_meant, site_meant
from sync_console.web.parts import parts
from sync_console.web.programs import NotAsked
from sync_worker.core.hold_reasons import Way, hold_reason
from sync_worker.core.values import EntityRef
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import NotThere, Right
from sync_worker.services.held.held import HeldFilter
from sync_worker.services.held.mending import Given


@post("/held/release", Right.RELEASE, HeldAct)
def held_release(asked: HeldAct) -> answers.ReleasedNow:
    """Put held ones back to work: those with these numbers, or so many of a reason.

    For reasons whose writes cannot be taken back, ``count`` has to be given.
    """
    way = hold_reason(asked.reason or "").way
    if asked.numbers is None and way is Way.CONFIRM and asked.count is None:
        raise NotAsked({"count": "say how many: what is sent then cannot be taken back"})
    limit = asked.count or MAX_AT_ONCE
    done = parts().held_parts.held.release(g.who, _meant(asked), asked.why.strip(), limit)
    return answers.ReleasedNow(done.numbers, _rest(asked, done.numbers), done.is_more)


@post("/held/drop", Right.RELEASE, HeldAct)
def held_drop(asked: HeldAct) -> answers.DroppedNow:
    """End held ones for good; of a reason ``count`` has to be given. ``why`` is needed."""
    if asked.numbers is None and asked.count is None:
        raise NotAsked({"count": "say how many: what is dropped is not done"})
    if not asked.why.strip():
        raise NotAsked({"why": "say why; it stands in the history for whoever asks later"})
    limit = asked.count or MAX_AT_ONCE
    done = parts().held_parts.held.drop(g.who, _meant(asked), asked.why, limit)
    return answers.DroppedNow(done.numbers, _rest(asked, done.numbers), done.is_more)


@post(f"{HELD}/map", Right.MAP, GivenProduct)
def held_map(asked: GivenProduct, inbox_id: int) -> Given:
    """Map the product that this one waits for; all that wait for it go on."""
    other, why = EntityRef(asked.entity_id, group=asked.group), asked.why.strip()
    mending = parts().held_parts.mending
    return _of_held(inbox_id, lambda: mending.map_product(g.who, inbox_id, other, why))


@post(f"{HELD}/contact", Right.MAP, GivenContact)
def held_contact(asked: GivenContact, inbox_id: int) -> Given:
    """Say which contact on Wix this one's person is."""
    given = asked.contact_id, asked.address.strip(), asked.why.strip()
    mending = parts().held_parts.mending
    return _of_held(inbox_id, lambda: mending.add_contact(g.who, inbox_id, *given))


@post("/waiting/<key>/try", Right.RELEASE, OfSite)
def waiting_try(asked: OfSite, key: str) -> answers.TriedNow:
    """Try what waits for one remote and reason now; ``key``: of its group."""
    site = site_meant(asked.site_id)
    return answers.TriedNow(parts().held_parts.waiting.try_now(g.who, key, site))


def _of_held(inbox_id: int, do: Callable[[], Given]) -> Given:
    """Raises NotThere alike for one of another site, and for one that is not held."""
    try:
        return do()
    except ChangedMeanwhile:
        raise NotThere(f"#{inbox_id} is not held here (any more)") from None


def _meant(asked: HeldAct) -> HeldFilter:
    if asked.numbers is None and not asked.reason:
        raise NotAsked({"reason": "say which: numbers, or a reason"})
    return held_meant(asked, asked.numbers)


def _rest(asked: HeldAct, done: object) -> list[int]:
    """What was named, and is not among what was done."""
    found = set(done) if isinstance(done, (list, tuple)) else set[int]()
    return sorted(set(asked.numbers or ()) - found)
