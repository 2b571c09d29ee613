"""Machines: what runs where, and whether the queue, Redis and SQL answer."""

from __future__ import annotations

from flask import Blueprint, g
from werkzeug.wrappers import Response

from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import marked as _
from sync_worker.services.access.who import Right

machines = Blueprint("machines", __name__)
KINDS = {"gateway": _("Gateway"), "worker": _("Worker"), "beat": _("Scheduler")}
MISSING = {
    "gateway": _("No gateway runs: webhooks are not accepted."),
    "worker": _("No worker runs: what is accepted waits."),
    "beat": _("No scheduler runs: no sweep, no poll and no check begins."),
}


@machines.get("/machines")
@needs(Right.MACHINES)
def index() -> Response:
    found = parts().machines.look(g.who)
    return show("machines/machines.html", machines=found, kinds=KINDS, missing=MISSING)
