"""What went wrong, as a page: what happened, and the next step. Never a trace."""

from __future__ import annotations

import structlog
from flask import Flask, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError, SecurityError
from werkzeug.wrappers import Response

from sync_console.web import kept
from sync_console.web.parts import NotFresh, NotLoggedIn, session_of_request
from sync_console.web.programs import is_program, problem
from sync_console.web.words import foreign, marked
from sync_console.web.words import gettext as _
from sync_worker.core.errors import SyncError, Transient
from sync_worker.services.access.forms import ChangedMeanwhile, OutcomeUnknown, UnderWay
from sync_worker.services.access.who import Forbidden, NotThere
from sync_worker.services.comparing import Busy
from sync_worker.services.deciding.refusals import DecisionRefused, UnknownLine, UnknownRating

ANOTHER_NAME = "The console is not called so; it is at CONSOLE_PUBLIC_URL."

# Of pages; programs read those of HTTP.
TITLES = {
    400: marked("That cannot be understood"),
    404: marked("There is nothing here"),
    405: marked("That cannot be done here"),
    413: marked("That is too large"),
    429: marked("Too many requests"),
}
SENTENCES = {
    400: marked("Something of it is missing, or is not as it should be. Open the page anew."),
    404: marked("The address leads to no page of the console."),
    405: marked("This address takes no such request. Open the page anew."),
    413: marked("A form, or a file, may have 2 MiB at most."),
}

KEPT_HEADERS = ("Allow", "Retry-After")  # of an answer that is no page of ours

log = structlog.get_logger(__name__)


def show_error(status: int, title: str, words: str, code: str = "") -> Response:
    """``code``: a word for programs."""
    if is_program():
        return problem(status, title, words, **({"code": code} if code else {}))
    return make_response(render_template("errors/error.html", title=title, words=words), status)


def not_logged_in(error: NotLoggedIn) -> Response:
    """What was typed goes along."""
    if is_program():
        words = "Send a token that counts: Authorization: Bearer rs_…"
        return problem(401, "Who is it?", words)
    g.may_be_framed = bool(g.get("owner_secret"))
    page = "entrance/ended.html" if g.may_be_framed else "entrance/login.html"
    fields = kept.form_of_request()
    return make_response(render_template(page, kept=fields, target=kept.target()), 401)


def not_fresh(error: NotFresh) -> Response:
    fields = kept.form_of_request()
    page = render_template("entrance/again.html", kept=fields, target=kept.target())
    return make_response(page, 401)


def stale_form(error: CSRFError) -> Response:
    """The form is of an earlier session. If one of our own pages sent it, nothing is lost."""
    fields = kept.form_of_request()
    if fields is None or request.headers.get("Sec-Fetch-Site") != "same-origin":
        words = _("The form was made for another session. Open the page anew and send it again.")
        return show_error(400, _("The form is too old"), words)
    if session_of_request() is None:
        return not_logged_in(NotLoggedIn())
    answer = kept.show_kept(fields)
    answer.status_code = 409
    return answer


def not_decided(error: DecisionRefused) -> Response:
    """Nothing was stored; its words say why, and what is there now."""
    is_there = not isinstance(error, (UnknownLine, UnknownRating))
    return show_error(
        409 if is_there else 404, _("Nothing was decided"), foreign(error.words), error.code
    )


def stranger(error: SecurityError) -> Response:
    """By another name than ours no page can be built."""
    if is_program():
        return problem(400, "Another name", ANOTHER_NAME)
    return Response(f"{ANOTHER_NAME}\n", 400)


def http(error: HTTPException) -> Response:
    status, words = error.code or 500, error.description or ""
    title = error.name
    if status in TITLES and not is_program():
        title = _(TITLES[status])
    # Werkzeug's own sentences are English, and for whoever writes programs.
    if words == type(error).description and not is_program():
        words = _(SENTENCES[status]) if status in SENTENCES else foreign(words)
    answer = show_error(status, title, words)
    for name, value in error.get_headers():
        if name in KEPT_HEADERS:
            answer.headers[name] = value
    return answer


def _tell_conflicts(app: Flask) -> None:
    """What somebody else did, does, or may have done."""

    @app.errorhandler(ChangedMeanwhile)
    def changed(error: ChangedMeanwhile) -> Response:
        return show_error(409, _("Somebody was faster"), foreign(error.message))

    @app.errorhandler(Busy)
    def busy(error: Busy) -> Response:
        return show_error(409, _("This is being done"), foreign(error.message))

    @app.errorhandler(UnderWay)
    def under_way(error: UnderWay) -> Response:
        words = _("It was sent a moment ago. Look at the page again before you repeat it.")
        return show_error(409, _("This is being done"), words)

    @app.errorhandler(OutcomeUnknown)
    def outcome_unknown(error: OutcomeUnknown) -> Response:
        words = _(
            "It was begun, and the process that did it has ended: it may be done, or not. Look"
            " first; if it is not done, send it again."
        )
        return show_error(409, _("Nobody knows whether it was done"), words, "outcome_unknown")


def init_app(app: Flask) -> None:
    _tell_conflicts(app)
    app.register_error_handler(SecurityError, stranger)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(DecisionRefused, not_decided)
    app.register_error_handler(NotLoggedIn, not_logged_in)
    app.register_error_handler(NotFresh, not_fresh)
    app.register_error_handler(CSRFError, stale_form)

    @app.errorhandler(Forbidden)
    def forbidden(error: Forbidden) -> Response:
        return show_error(403, _("This is not yours to do"), foreign(error.message))

    @app.errorhandler(Transient)
    def away(error: Transient) -> Response:
        return show_error(503, _("It does not work just now"), foreign(error.message))

    @app.errorhandler(SyncError)
    def refused(error: SyncError) -> Response:
        return show_error(422, _("That did not work"), foreign(error.message))

    @app.errorhandler(NotThere)
    def not_there(error: NotThere) -> Response:
        return show_error(404, _("There is nothing here"), foreign(error.message))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("console_failed", endpoint=request.endpoint, error=type(error).__name__)
        if app.config["PROPAGATE_EXCEPTIONS"]:
            raise error
        title = InternalServerError().name if is_program() else _("Something went wrong here")
        return show_error(500, title, _("The log of the console has what happened."))
