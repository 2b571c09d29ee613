"""What programs decide about single ratings, on behalf of a person."""

from __future__ import annotations

from flask import g

from sync_console.api import answers
from sync_console.api.asked import Because, ChosenSide, Make
from sync_console.api.endpoints import post
from sync_console.api.looking import RATING
from sync_console.web.parts import parts
from sync_console.web.programs import NotAsked
from sync_worker.services.access.who import Right
from sync_worker.services.deciding.choice import Choice
from sync_worker.services.deciding.refusals import BadChoice


@post(f"{RATING}/compare", Right.DECIDE)
def rating_compare(_: object, link_id: int) -> answers.DecidedNow:
    """Look at both sides now, and bring them in step."""
    return answers.DecidedNow(link_id, parts().decisions.compare_now(g.who, link_id))


@post(f"{RATING}/make", Right.DECIDE, Make)
def rating_make(asked: Make, link_id: int) -> answers.DecidedNow:
    """Both sides are to show this."""
    why = _why(asked)
    choice = Choice(asked.side, asked.values, asked.words)
    try:
        number = parts().decisions.make_both(g.who, link_id, choice, why, asked.version)
    except BadChoice as bad:
        raise NotAsked({"values": str(bad)}) from None
    return answers.DecidedNow(link_id, number)


@post(f"{RATING}/stop", Right.DECIDE, Because)
def rating_stop(asked: Because, link_id: int) -> answers.DecidedNow:
    """Nothing more is written for this rating before somebody lets it go on."""
    return answers.DecidedNow(link_id, parts().decisions.stop(g.who, link_id, _why(asked)))


@post(f"{RATING}/go-on", Right.DECIDE, Because)
def rating_go_on(asked: Because, link_id: int) -> answers.GoesOn:
    """Let a stopped rating go on."""
    return answers.GoesOn(link_id, parts().decisions.go_on(g.who, link_id, _why(asked)))


@post("/held/choose", Right.DECIDE, ChosenSide)
def held_choose(asked: ChosenSide) -> answers.DecidedAll:
    """Both sides are to show what one of them shows."""
    done = parts().decisions.choose_side(g.who, asked.numbers, asked.side, _why(asked))
    return answers.DecidedAll(done)


@post("/history/<int(max=999999999999):history_id>/undo", Right.DECIDE, Because)
def history_undo(asked: Because, history_id: int) -> answers.DecidedNow:
    """Both sides are to show again what this line of the history says was overwritten."""
    return answers.DecidedNow(None, parts().decisions.undo(g.who, history_id, _why(asked)))


def _why(asked: Because | ChosenSide) -> str:
    """It goes into the history. Raises NotAsked."""
    if not asked.why.strip():
        raise NotAsked({"why": "say why: it goes into the history"})
    return asked.why
