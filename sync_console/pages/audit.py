"""Audit: who did what, when and why."""

from __future__ import annotations

from flask import Blueprint, g, request
from werkzeug.wrappers import Response

from sync_console.web.numbers import number_in
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_worker.services.access.who import Right

audit = Blueprint("audit", __name__, url_prefix="/audit")


@audit.get("")
@needs(Right.LOOK)
def index() -> Response:
    asked = request.args
    page = parts().access.audit.page(
        g.who,
        site_id=number_in(asked.get("site", "")),
        actor=asked.get("actor", "").strip(),
        what=asked.get("what", ""),
        before=number_in(asked.get("after", "")),
    )
    return show("audit/audit.html", page=page)
