"""Ratings: searched for, looked at one by one, and decided about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, g, redirect, request
from flask import Response as FlaskResponse
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from sync_console.web.numbers import number_in
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import gettext
from sync_console.web.words import marked as _
from sync_worker.services.access.who import Right
from sync_worker.services.ratings.search import RatingFilter, Standing

ratings = Blueprint("ratings", __name__)
ONE = "/ratings/<int(max=999999999999):link_id>"
DELIVERY = "/ratings/delivery/<int(max=999999999999):inbox_id>"
MAX_WORD = 320
# How far back, by what the form sends.
SPANS = {
    "1h": (_("the last hour"), timedelta(hours=1)),
    "1d": (_("the last 24 hours"), timedelta(days=1)),
    "7d": (_("the last 7 days"), timedelta(days=7)),
    "30d": (_("the last 30 days"), timedelta(days=30)),
}
STATES = {
    Standing.IN_STEP: _("in step"),
    Standing.HELD: _("held"),
    Standing.STOPPED: _("stands still"),
    Standing.GONE: _("gone on both sides"),
    Standing.NOT_LINKED: _("not linked yet"),
}
# The word for a rating's state, and its colour.
BADGES = {
    "in_step": (_("in step"), "good"),
    "waiting": (_("on its way"), "plain"),
    "held": (_("held"), "warn"),
    "stopped": (_("stands still"), "warn"),
    "one_side": (_("on one side only"), "warn"),
    "gone": (_("gone"), "plain"),
    "empty": (_("no record yet"), "plain"),
}
STEPS = {
    "webhook": _("Webhook"),
    "plan": _("Plan"),
    "write": _("Write"),
    "retry": _("Tries again"),
    "held": _("Held"),
    "end": _("End"),
    "person": _("Person"),
}
FIELDS = {
    "overall": _("Stars"),
    "title": _("Title"),
    "body": _("Text"),
    "reply": _("The owner's reply"),
}


@ratings.get("/ratings")
@needs(Right.LOOK)
def index() -> Response:
    word, which = wanted()
    is_asked = bool(word) or which != RatingFilter()
    found = None
    if is_asked:
        found = parts().search.find(g.who, word, which, number_of("after"))
    return show(
        "ratings/search.html",
        word=word,
        which=which,
        found=found,
        states=STATES,
        spans=SPANS,
        badges=BADGES,
        csv_url="/ratings.csv?" + request.query_string.decode("ascii", "replace"),
    )


@ratings.get("/ratings.csv")
@needs(Right.LOOK)
def table() -> Response:
    word, which = wanted()
    lines = "".join(parts().search.as_csv(g.who, word, which))
    # A spreadsheet takes the mark in front for UTF-8.
    answer = FlaskResponse(f"\ufeff{lines}", content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = "attachment; filename=ratings.csv"
    return answer


@ratings.get(ONE)
@needs(Right.LOOK)
def one(link_id: int) -> Response:
    found = parts().ratings.one(g.who, link_id)
    if found is None:
        raise NotFound(gettext("There is no such rating here. Search for it."))
    return show(
        "ratings/one.html",
        one=found,
        badges=BADGES,
        steps=STEPS,
        fields=FIELDS,
        may_release=g.who.may(Right.RELEASE, found.rating.site_id),
        may_decide=g.who.may(Right.DECIDE, found.rating.site_id) and found.may_be_decided,
    )


@ratings.get(DELIVERY)
@needs(Right.LOOK)
def delivery(inbox_id: int) -> Response:
    found = parts().ratings.delivery(g.who, inbox_id)
    if found is None:
        raise NotFound(gettext("There is no such delivery here. Search for its rating."))
    # It has come to its rating since the link was made.
    if found.link_id is not None:
        return redirect(f"/ratings/{found.link_id}")
    return show("ratings/delivery.html", found=found, steps=STEPS)


def wanted() -> tuple[str, RatingFilter]:
    """The word and the filters in the address. Raises BadRequest."""
    state = request.args.get("state", "")
    if state and state not in STATES:
        raise BadRequest(gettext("There is no such state to filter by."))
    which = RatingFilter(
        site_id=number_of("site"),
        state=Standing(state) if state else None,
        differs=request.args.get("differs", "") == "1",
        product=request.args.get("product", "").strip()[:MAX_WORD] or None,
        changed_since=since(),
    )
    return request.args.get("q", "").strip()[:MAX_WORD], which


def since() -> datetime | None:
    """The time that a span in the address begins at; rounded, so that pages follow each other."""
    span = SPANS.get(request.args.get("since", ""))
    if span is None:
        return None
    return datetime.now(UTC).replace(second=0, microsecond=0) - span[1]


def number_of(name: str) -> int | None:
    """A number in the address; ``None``: there is none. Raises BadRequest."""
    given = request.args.get(name, "").strip()
    if not given:
        return None
    number = number_in(given)
    if number is None:
        raise BadRequest(gettext("This is no number: ") + name)
    return number
