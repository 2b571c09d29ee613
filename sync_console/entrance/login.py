"""Login and logout of people with a password."""

from __future__ import annotations

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from sync_console.web import kept
from sync_console.web.addresses import client_address
from sync_console.web.parts import NotLoggedIn, open_to_all, parts, session_of_request
from sync_worker.services.access.logins import LoginRefused, TooMany

login = Blueprint("login", __name__)


@login.get("/login")
@open_to_all
def page() -> Response:
    return show_login(None, "/")


@login.post("/login")
@open_to_all
def log_in() -> Response:
    name, password = request.form.get("login_name", ""), request.form.get("login_password", "")
    try:
        secret = parts().access.logins.log_in(name, password, client_address())
    except LoginRefused as error:
        return refused(error, show_login(kept.carried_on(), kept.target(), error.words))
    return with_cookie(kept.go_on(secret), secret)


@login.post("/login/again")
@open_to_all
def again() -> Response:
    """The password once more, before what cannot be undone."""
    session = session_of_request()
    if session is None:
        raise NotLoggedIn
    try:
        password = request.form.get("login_password", "")
        parts().access.logins.confirm(session, password, client_address())
    except LoginRefused as error:
        page = render_template(
            "entrance/again.html",
            kept=kept.carried_on(),
            target=kept.target(),
            refused=error.words,
        )
        return refused(error, make_response(page))
    return kept.go_on(g.secret)


@login.post("/logout")
@open_to_all
def log_out() -> Response:
    session = session_of_request()
    if session is not None:
        parts().access.logins.log_out(session)
    answer = redirect("/login", 303)
    current_app.extensions["console_secrets"].drop_cookies(answer)
    return answer


@login.get("/healthz")
@open_to_all
def healthz() -> tuple[str, int]:
    """The process answers; it says nothing of others."""
    return "ok\n", 200


def show_login(fields: kept.Fields | None, target: str, why_refused: str = "") -> Response:
    page = render_template("entrance/login.html", kept=fields, target=target, refused=why_refused)
    return make_response(page)


def refused(error: LoginRefused, answer: Response) -> Response:
    answer.status_code = 429 if isinstance(error, TooMany) else 401
    return answer


def with_cookie(answer: Response, secret: str) -> Response:
    g.is_new_secret = False
    current_app.extensions["console_secrets"].set_cookie(answer, secret)
    return answer
