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
    return show(
        "activity/activity.html",
        page=parts().activity.page(g.who, which, number_of("after")),
        which=which,
        kind=kind,
        kinds=KINDS,
        spans=SPANS,
        fields=FIELDS,
    )
