"""Sites: the list, one of them, and its rest."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, g, redirect, render_template, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from sync_console.pages.overview import charts_of
from sync_console.web.actions import act, why
from sync_console.web.numbers import number_in
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import marked as _
from sync_worker.core.said import said
from sync_worker.core.values import SiteState
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import Right
from sync_worker.services.sites.sites import (
    TROUBLE_WORDS,
    SiteSummary,
    SitesWanted,
    SiteTrouble,
    trouble_advice,
    trouble_words,
)

sites = Blueprint("sites", __name__)
SITE = "/sites/<int(max=999999999999):site_id>"
HOUR = 3600.0
# How long a pause may be, by what the form sends.
SPANS = {
    "": (_("until somebody resumes it"), None),
    "1h": (_("1 hour"), HOUR),
    "4h": (_("4 hours"), 4 * HOUR),
    "1d": (_("1 day"), 24 * HOUR),
    "7d": (_("7 days"), 168 * HOUR),
}
STATES = {
    SiteState.ACTIVE: _("at work"),
    SiteState.PAUSED: _("paused"),
    SiteState.RECOVERY: _("in recovery"),
    SiteState.REMOVED: _("removed"),
}
# The account of a site, beside the words that its own page has for it.
ACCOUNTS = {
    "none": _("none yet"),
    "of the environment": _("of the environment"),
    "new": _("not tried out yet"),
    "active": _("works"),
    "paused": _("paused"),
    "failing": _("the shop refuses us"),
    "account_locked": _("its secrets do not open"),
    "revoked": _("revoked"),
}
MAX_WORD = 128


@sites.get("/sites")
@needs(Right.LOOK)
def index() -> Response:
    if g.who.site_id is not None:
        return redirect(f"/sites/{g.who.site_id}")
    wanted = _wanted()
    page = parts().sites.page(g.who, wanted, request.args.get("after", ""))
    return show(
        "sites/list.html",
        page=page,
        wanted=wanted,
        is_filtered=wanted != SitesWanted(),
        connectors=parts().sites.connectors(g.who),
        states=STATES,
        troubles={str(name): words for name, (words, _advice) in TROUBLE_WORDS.items()},
        trouble_words=trouble_words,
        accounts=ACCOUNTS,
        kind_of=kind_of,
    )


@sites.get(SITE)
@needs(Right.LOOK)
def one(site_id: int) -> Response:
    summary = parts().sites.one(g.who, site_id)
    known = parts().sites.known(g.who, site_id)
    overview = parts().overview.overview(g.who, site_id)
    return show(
        "sites/site.html",
        site=summary,
        known=known,
        overview=overview,
        charts=charts_of(overview.hours),
        asked=parts().policies.asked(g.who, site_id),
        waiting=parts().maps.waiting(g.who, site_id),
        may_pause=g.who.may(Right.PAUSE, site_id),
        states=STATES,
        spans=SPANS,
        trouble_words=trouble_words,
        accounts=ACCOUNTS,
        trouble_advice=trouble_advice,
        kind_of=kind_of,
    )


@sites.post(f"{SITE}/pause")
@needs(Right.PAUSE)
def pause(site_id: int) -> Response:
    def do() -> str:
        _refuse_if_changed(site_id)
        until, (_words, seconds) = _until(), SPANS.get(request.form.get("span", ""), SPANS[""])
        # A time that somebody names counts before a length that somebody chooses.
        if until is not None:
            seconds = None
        return parts().pausing.pause(g.who, site_id, why(), until, seconds).sentence

    return act(do, f"/sites/{site_id}")


@sites.post(f"{SITE}/resume")
@needs(Right.PAUSE)
def resume(site_id: int) -> Response:
    def do() -> str:
        _refuse_if_changed(site_id)
        return parts().pausing.resume(g.who, site_id, why()).sentence

    return act(do, f"/sites/{site_id}")


def site_page(template: str, site_id: int, **context: object) -> str:
    """A further page of a site, with its head."""
    summary = parts().sites.one(g.who, site_id)
    return render_template(template, site=summary, states=STATES, kind_of=kind_of, **context)


def kind_of(site: SiteSummary) -> str:
    """The colour of its state."""
    if site.state == SiteState.ACTIVE:
        return "warn" if site.troubles else "good"
    return "plain" if site.state == SiteState.REMOVED else "warn"


def number(name: str) -> int:
    """A number in the address; 0 where there is none that could be one of ours."""
    return number_in(request.args.get(name, "")) or 0


def _wanted() -> SitesWanted:
    state, trouble = request.args.get("state", ""), request.args.get("trouble", "")
    name = request.args.get("name", "").strip()[:MAX_WORD]
    connector = request.args.get("connector", "")[:MAX_WORD]
    return SitesWanted(
        name or None,
        SiteState(state) if state in tuple(SiteState) else None,
        connector or None,
        trouble == "any",
        SiteTrouble(trouble) if trouble in tuple(SiteTrouble) else None,
    )


def _refuse_if_changed(site_id: int) -> None:
    """The form was made for a state of the site; somebody else may have been quicker."""
    site, seen = parts().sites.one(g.who, site_id), request.form.get("seen", "")
    if not seen or seen == site.state:
        return
    by = ""
    if site.pause is not None:
        why = f" ({site.pause.why})" if site.pause.why else ""
        by = said(", by %(actor)s%(why)s", actor=site.pause.actor, why=why)
    raise ChangedMeanwhile(
        said(
            "Site %(site)s was %(seen)s when this page was made, and is %(now)s now%(by)s."
            " Nothing was changed: look at it again.",
            site=site_id,
            seen=seen,
            now=site.state,
            by=by,
        )
    )


def _until() -> float | None:
    """When a pause is to end, in seconds since 1970. Raises BadRequest."""
    given = request.form.get("until", "").strip()
    if not given:
        return None
    try:
        return datetime.fromisoformat(given).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest(
            said("%(given)s is no time: 2026-01-31T08:00 is one.", given=repr(given[:40]))
        ) from None
