"""Login and logout of people with a password."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template

from sync_console.web.parts import open_to_all

login = Blueprint("login", __name__)


@login.get("/login")
@open_to_all
def page() -> Response:
    return make_response(render_template("entrance/login.html", kept=None, target="/"))


@login.get("/healthz")
@open_to_all
def healthz() -> tuple[str, int]:
    """The process answers; it says nothing of others."""
    return "ok\n", 200
