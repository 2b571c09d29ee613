"""What people do with held ones: release, drop, and give what is missing."""

from __future__ import annotations

from flask import Blueprint, g, request, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from sync_console.pages.held_asked import filter_of, group_url, refuse_unknown
from sync_console.web.actions import act, typed_count, why
from sync_console.web.numbers import MAX_NUMBER, number_in
from sync_console.web.parts import needs, needs_fresh_login, parts
from sync_console.web.words import gettext as _
from sync_console.web.words import marked, ngettext
from sync_worker.core.errors import Misconfigured
from sync_worker.core.hold_reasons import UNCONFIRMED_DELETES, Way, hold_reason
from sync_worker.core.values import EntityRef, Side
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import Right
from sync_worker.services.deciding.refusals import (
    DecisionRefused,
    NotPossible,
    UnknownRating,
)
from sync_worker.services.held.values import Released

held_acts = Blueprint("acts", __name__)
NO_DELIVERY = marked("There is no such delivery here.")
MAX_AT_ONCE = 1000  # with one press of a button, as many as the page counts
ROW = "/held/<int(max=9223372036854775807):inbox_id>"


@held_acts.post(f"{ROW}/release")
@needs(Right.RELEASE)
def release(inbox_id: int) -> Response:
    _refuse_unseen(inbox_id)

    def do() -> str:
        which = filter_of(numbers=[inbox_id])
        return _released(parts().held_parts.held.release(g.who, which, why()), [inbox_id])

    return act(do, _back_to_group())


@held_acts.post(f"{ROW}/drop")
@needs(Right.RELEASE)
def drop(inbox_id: int) -> Response:
    _refuse_unseen(inbox_id)

    def do() -> str:
        which = filter_of(numbers=[inbox_id])
        return _dropped(parts().held_parts.held.drop(g.who, which, why()), [inbox_id])

    return act(do, _back_to_group())


@held_acts.post(f"{ROW}/map")
@needs(Right.MAP)
def give_product(inbox_id: int) -> Response:
    _refuse_unseen(inbox_id)

    other = EntityRef(_field("entity_id", 256), _field("group", 128))
    # One of the proposals; the field is for any other.
    if request.form.get("choice"):
        entity_id, _sign, of_group = request.form["choice"].partition("\n")
        other = EntityRef(entity_id[:256], of_group[:128])

    def do() -> str:
        return parts().held_parts.mending.map_product(g.who, inbox_id, other, why()).words

    return act(do, _back_to_group())


@held_acts.post(f"{ROW}/contact")
@needs(Right.MAP)
def give_contact(inbox_id: int) -> Response:
    _refuse_unseen(inbox_id)

    def do() -> str:
        given = parts().held_parts.mending.add_contact(
            g.who, inbox_id, _field("contact_id", 64), _field("address", 320), why()
        )
        return given.words

    return act(do, _back_to_group())


@held_acts.post(f"{ROW}/choose")
@needs(Right.DECIDE)
def choose(inbox_id: int) -> Response:
    """Both sides are to show what one of them shows."""
    _refuse_unseen(inbox_id)

    word = request.form.get("side", "")
    if word not in tuple(Side):
        raise BadRequest(_("Say which side is right."))
    side = Side(word)

    def do() -> str:
        try:
            parts().decisions.choose_side(g.who, [inbox_id], side, why())
        except (UnknownRating, NotPossible) as unknown:
            raise Misconfigured(unknown.words) from None
        except DecisionRefused as refused:
            raise ChangedMeanwhile(refused.words) from None
        if side is Side.WIX:
            return _("Wix is right: a worker brings both sides there within seconds.")
        return _("The other side is right: a worker brings both sides there within seconds.")

    return act(do, _back_to_group())


@held_acts.post("/held/<reason>/chosen")
@needs(Right.RELEASE)
def release_chosen(reason: str) -> Response:
    refuse_unknown(reason)
    given = (number_in(word, MAX_NUMBER) for word in request.form.getlist("number")[:500])
    numbers = [number for number in given if number is not None]

    def do() -> str:
        if not numbers:
            return _("Nothing was chosen, so nothing was released.")
        which = filter_of(reason, numbers)
        return _released(parts().held_parts.held.release(g.who, which, why()), numbers)

    return act(do, group_url(reason))


@held_acts.post("/held/<reason>/release")
@needs(Right.RELEASE)
def release_group(reason: str) -> Response:
    refuse_unknown(reason)
    if hold_reason(reason).way is Way.CONFIRM and typed_count() is None:
        raise BadRequest(_("Type how many it is about: what is sent then cannot be taken back."))
    if reason in UNCONFIRMED_DELETES:
        needs_fresh_login()

    def do() -> str:
        limit = typed_count() or MAX_AT_ONCE
        which = filter_of(reason)
        return _released(parts().held_parts.held.release(g.who, which, why(), limit))

    return act(do, group_url(reason))


@held_acts.post("/held/<reason>/drop")
@needs(Right.RELEASE)
def drop_group(reason: str) -> Response:
    refuse_unknown(reason)
    count = typed_count()
    if not count:
        raise BadRequest(_("Type how many it is about: what is dropped is not done."))

    def do() -> str:
        return _dropped(
            parts().held_parts.held.drop(g.who, filter_of(reason), why(), min(count, MAX_AT_ONCE))
        )

    return act(do, group_url(reason))


def _released(done: Released, meant: list[int] | None = None) -> str:
    number = len(done.numbers)
    _refuse_late(number, meant)
    told = ngettext("%(num)d goes on now.", "%(num)d go on now.", number) % {"num": number}
    return f"{told} {_more(done)}".strip()


def _dropped(done: Released, meant: list[int] | None = None) -> str:
    number = len(done.numbers)
    _refuse_late(number, meant)
    told = ngettext("%(num)d is dropped.", "%(num)d are dropped.", number) % {"num": number}
    return f"{told} {_more(done)}".strip()


def _more(done: Released) -> str:
    return _("More are held for the same; press again for the next ones.") if done.is_more else ""


def _refuse_unseen(inbox_id: int) -> None:
    """Raises NotFound for what is not there, or of a site that is none of theirs."""
    if parts().held_parts.held.what_became(g.who, inbox_id) is None:
        raise NotFound(_(NO_DELIVERY))


def _refuse_late(number: int, meant: list[int] | None) -> None:
    """Raises ChangedMeanwhile: of what somebody meant, nothing is held any more."""
    if number or not meant:
        return
    became = parts().held_parts.held.what_became(g.who, meant[0])
    raise ChangedMeanwhile(became or NO_DELIVERY)


def _back_to_group() -> str:
    """The list that somebody came from."""
    reason = request.form.get("reason", "")
    if not reason or not reason.replace("_", "").isalnum():
        return url_for("held.index")
    return url_for("held.group", reason=reason)


def _field(name: str, most: int) -> str:
    return request.form.get(name, "").strip()[:most]
