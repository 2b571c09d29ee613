"""What went wrong, as a page: what happened, and the next step. Never a trace."""

from __future__ import annotations

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from sync_console.web.parts import NotFresh, NotLoggedIn
from sync_console.web.words import gettext as _
from sync_worker.core.errors import SyncError, Transient
from sync_worker.services.access.forms import ChangedMeanwhile, UnderWay
from sync_worker.services.access.who import Forbidden

log = structlog.get_logger(__name__)


def show_error(status: int, title: str, words: str) -> Response:
    return make_response(render_template("errors/error.html", title=title, words=words), status)


def not_logged_in(error: NotLoggedIn) -> Response:
    """What was typed is kept: the login page carries it on."""
    g.may_be_framed = bool(g.get("owner_secret"))
    page = "entrance/ended.html" if g.may_be_framed else "entrance/login.html"
    return make_response(render_template(page, kept=kept_form(), target=target()), 401)


def not_fresh(error: NotFresh) -> Response:
    page = render_template("entrance/again.html", kept=kept_form(), target=target())
    return make_response(page, 401)


def target() -> str:
    """Where somebody wanted to go."""
    return request.full_path.rstrip("?")


def kept_form() -> list[tuple[str, str]] | None:
    """The fields that somebody sent; ``None``: it was no form."""
    if request.method != "POST":
        return None
    return [(name, value) for name, value in request.form.items(multi=True) if name != "csrf_token"]


def init_app(app: Flask) -> None:
    app.register_error_handler(NotLoggedIn, not_logged_in)
    app.register_error_handler(NotFresh, not_fresh)

    @app.errorhandler(Forbidden)
    def forbidden(error: Forbidden) -> Response:
        return show_error(403, _("This is not yours to do"), str(error))

    @app.errorhandler(ChangedMeanwhile)
    def changed(error: ChangedMeanwhile) -> Response:
        return show_error(409, _("Somebody was faster"), str(error))

    @app.errorhandler(UnderWay)
    def under_way(error: UnderWay) -> Response:
        words = _("It was sent a moment ago. Look at the page again before you repeat it.")
        return show_error(409, _("This is being done"), words)

    @app.errorhandler(Transient)
    def away(error: Transient) -> Response:
        return show_error(503, _("It does not work just now"), error.message)

    @app.errorhandler(SyncError)
    def refused(error: SyncError) -> Response:
        return show_error(422, _("That did not work"), error.message)

    @app.errorhandler(CSRFError)
    def stale(error: CSRFError) -> Response:
        words = _("The form was made for another session. Open the page anew and send it again.")
        return show_error(400, _("The form is too old"), words)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        return show_error(error.code or 500, error.name, error.description or "")

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("console_failed", endpoint=request.endpoint, error=type(error).__name__)
        if app.config["PROPAGATE_EXCEPTIONS"]:
            raise error
        words = _("The log of the console has what happened.")
        return show_error(500, InternalServerError().name, words)
