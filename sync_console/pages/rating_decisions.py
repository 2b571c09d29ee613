"""What a person decides about one rating: compare, make both the same, undo, stop, let go on."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, g, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from sync_console.web.actions import FORM, act, version, why
from sync_console.web.parts import needs, parts
from sync_console.web.words import gettext as _
from sync_worker.core.numbers import BadNumber, exact_number
from sync_worker.core.values import Side
from sync_worker.services.access.who import Right
from sync_worker.services.deciding.choice import Choice

rating_decisions = Blueprint("rating_decisions", __name__)
ONE = "/ratings/<int(max=999999999999):link_id>"
LINE = "/activity/<int(max=999999999999):history_id>/undo"
WORDS = ("title", "body")
MAX_DIGITS = 40


@rating_decisions.post(f"{ONE}/compare")
@needs(Right.DECIDE)
def compare(link_id: int) -> Response:
    def do() -> str:
        number = parts().decisions.compare_now(g.who, link_id, token=token())
        return _("Both sides are looked at now (#%(number)s).") % {"number": number}

    return act(do, f"/ratings/{link_id}")


@rating_decisions.post(f"{ONE}/make")
@needs(Right.DECIDE)
def make(link_id: int) -> Response:
    choice = choice_of_form()

    def do() -> str:
        number = parts().decisions.make_both(
            g.who, link_id, choice, why(), version(), token=token()
        )
        return _("Both sides are made the same (#%(number)s).") % {"number": number}

    return act(do, f"/ratings/{link_id}")


@rating_decisions.post(f"{ONE}/stop")
@needs(Right.DECIDE)
def stop(link_id: int) -> Response:
    def do() -> str:
        parts().decisions.stop(g.who, link_id, why(), token=token())
        return _("It is being stopped: nothing more is written for it.")

    return act(do, f"/ratings/{link_id}")


@rating_decisions.post(f"{ONE}/go-on")
@needs(Right.DECIDE)
def go_on(link_id: int) -> Response:
    def do() -> str:
        parts().decisions.go_on(g.who, link_id, why())
        return _("It goes on.")

    return act(do, f"/ratings/{link_id}")


@rating_decisions.post(f"{ONE}/release")
@needs(Right.RELEASE)
def release(link_id: int) -> Response:
    """A held delivery of this rating; it is looked at as both sides are then."""
    number = request.form.get("delivery", "")
    found = parts().ratings.one(g.who, link_id)
    held = () if found is None else found.held
    chosen = [one.inbox_id for one in held if str(one.inbox_id) == number]

    def do() -> str:
        service = parts().held_parts.held
        which = service.filter(g.who, numbers=chosen)
        if not chosen or not service.release(g.who, which, why()).numbers:
            return _("It is not held any more.")
        return _("It goes back to work.")

    return act(do, f"/ratings/{link_id}")


@rating_decisions.post(LINE)
@needs(Right.DECIDE)
def undo(history_id: int) -> Response:
    def do() -> str:
        number = parts().decisions.undo(g.who, history_id, why(), token=token())
        told = {"line": history_id, "number": number}
        return _("h%(line)s is being undone (#%(number)s).") % told

    return act(do, back_to())


def token() -> str:
    """Names this decision: sent twice, it is one."""
    return request.form.get(FORM, "")


def back_to() -> str:
    """The page of the rating, or Activity."""
    given = request.form.get("rating", "")
    return f"/ratings/{given}" if given.isascii() and given.isdecimal() else "/activity"


def choice_of_form() -> Choice:
    """Stars in the units of a side, and words. Raises BadRequest."""
    given = request.form.get("side", "")
    if given not in tuple(Side):
        raise BadRequest(_("Say on which side it is so: on Wix, or outside."))
    value, attribute = request.form.get("value", "").strip(), request.form.get("attribute", "")
    values = {attribute: _number(value)} if value else {}
    words = {name: text for name in WORDS if (text := request.form.get(name, "").strip())}
    return Choice(Side(given), values, words)


def _number(text: str) -> Decimal:
    try:
        return exact_number(text[:MAX_DIGITS])
    except BadNumber as error:
        raise BadRequest(_("The stars are no number: ") + str(error)) from None
