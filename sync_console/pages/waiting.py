"""On its way: what a remote could not take yet, with its next try."""

from __future__ import annotations

from flask import Blueprint, g, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from sync_console.pages.held_asked import filter_of
from sync_console.web.actions import act
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import gettext as _
from sync_console.web.words import ngettext
from sync_worker.services.access.who import Right

waiting = Blueprint("waiting", __name__)
MINUTE, HOUR = 60, 3600


@waiting.get("/waiting")
@needs(Right.LOOK)
def index() -> Response:
    site = filter_of().site
    return show(
        "waiting/waiting.html",
        way=parts().held_parts.waiting.on_its_way(g.who, site),
        site=site,
        span=span,
        may_try=g.who.may(Right.RELEASE, g.who.site_id or (site.id if site else None)),
    )


@waiting.post("/waiting/<key>/now")
@needs(Right.RELEASE)
def try_now(key: str) -> Response:
    if len(key) > 32 or not key.isalnum():
        raise NotFound

    def do() -> str:
        done = len(parts().held_parts.waiting.try_now(g.who, key, filter_of().site))
        if not done:
            raise NotFound(_("Nothing of it waits any more."))
        told = ngettext(
            "%(num)d is tried within seconds.", "%(num)d are tried within seconds.", done
        )
        return told % {"num": done}

    return act(do, url_for("waiting.index", site=request.form.get("site") or None))


def span(seconds: float) -> str:
    """How long it is until then."""
    if seconds < 1:
        return _("now")
    if seconds < MINUTE:
        return _("in %(number)s s") % {"number": round(seconds)}
    if seconds < HOUR:
        return _("in %(number)s min") % {"number": round(seconds / MINUTE)}
    return _("in %(number)s h") % {"number": round(seconds / HOUR)}
