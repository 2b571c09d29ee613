"""Overview: one sentence, then what stands still by the harm that it does."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from sync_console.web.parts import needs
from sync_console.web.show import show
from sync_worker.services.access.who import Right

overview = Blueprint("overview", __name__)


@overview.get("/")
@needs(Right.LOOK)
def index() -> Response:
    return show("overview/overview.html")
