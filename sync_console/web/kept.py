"""What somebody had typed when they had to log in: it goes along, and is sent again afterwards."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask import g, make_response, redirect, render_template, request, session
from werkzeug.wrappers import Response

from sync_console.web.sessions import OWNER_FIELD, form_secret

Fields = Sequence[tuple[str, str]]
PREFIX = "kept."
NOT_KEPT = frozenset({"csrf_token", OWNER_FIELD})
LOCAL = re.compile(r"/(?![/\\])[\x21-\x7e]*")


def form_of_request() -> Fields | None:
    """The fields that somebody sent; ``None``: it was no form."""
    if request.method != "POST":
        return None
    return [pair for pair in request.form.items(multi=True) if pair[0] not in NOT_KEPT]


def carried_on() -> Fields | None:
    """The fields that the login page carried along."""
    if not request.form.get("login_kept"):
        return None
    return [
        (name.removeprefix(PREFIX), value)
        for name, value in request.form.items(multi=True)
        if name.startswith(PREFIX)
    ]


def target() -> str:
    """Where somebody wanted to go: a page of ours."""
    wanted = request.form.get("login_target") or request.full_path.rstrip("?")
    return wanted if LOCAL.fullmatch(wanted) else "/"


def go_on(secret: str) -> Response:
    """To the page that somebody wanted, or to what they had typed; with this session."""
    fields = carried_on()
    if fields is None:
        return redirect(target(), 303)
    # The tokens of this page are the new session's.
    g.secret = secret
    g.pop("csrf_token", None)
    session["csrf_token"] = form_secret(secret)
    return show_kept(fields)


def show_kept(fields: Fields) -> Response:
    """A form with what somebody had typed, and one button."""
    return make_response(render_template("entrance/resume.html", fields=fields, target=target()))
