"""Activity: what happened, in words, newest first; what was overwritten is struck through."""

from __future__ import annotations

from flask import Blueprint, g, request
from werkzeug.wrappers import Response

from sync_console.pages.ratings import FIELDS, SPANS, number_of, since
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import marked as _
from sync_worker.services.access.who import Right
from sync_worker.services.ratings.activity import ActivityFilter

activity = Blueprint("activity", __name__)
MAX_NAME = 128
KINDS = {
    "writes": (_("written"), ("create", "update", "reply", "approve")),
    "deletes": (_("deleted or hidden"), ("delete", "withdraw", "privacy_delete")),
    "held": (_("held or refused"), ("hold", "refused", "ignore")),
    "doubts": (_("perhaps covered"), ("gap", "unknown")),
    "moves": (_("moved or joined"), ("merge", "move", "shadow")),
    "people": (_("done by people"), ()),
}
RESTS = {
    "site.pause": _("Paused"),
    "site.resume": _("Resumed"),
    "site.recover": _("Set to recovery"),
}


@activity.get("/activity")
@needs(Right.LOOK)
def index() -> Response:
    kind, actor = request.args.get("kind", ""), request.args.get("actor", "").strip()[:MAX_NAME]
    _words, kinds = KINDS.get(kind, ("", ()))
    which = ActivityFilter(
        site_id=number_of("site"),
        actor=actor or None,
        by_people=kind == "people",
        kinds=kinds,
        overwritten=request.args.get("overwritten", "") == "1",
        since=since(),
    )
    # What was done with whole sites stands above the newest lines, unless less is asked for.
    is_wide = kind in ("", "people") and not which.overwritten and "after" not in request.args
    rests = parts().access.audit.rests(g.who, which.site_id) if is_wide else ()
    return show(
        "activity/activity.html",
        page=parts().activity.page(g.who, which, number_of("after")),
        which=which,
        rests=[line for line in rests if not actor or line.actor == actor],
        rest_words=RESTS,
        kind=kind,
        kinds=KINDS,
        spans=SPANS,
        fields=FIELDS,
    )
