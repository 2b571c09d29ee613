"""The language that somebody chooses for the pages: for this session, and for this browser."""

from __future__ import annotations

from flask import Blueprint, current_app, request
from werkzeug.exceptions import BadRequest
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from sync_console.web import kept
from sync_console.web.parts import open_to_all, parts, session_of_request
from sync_console.web.words import gettext as _
from sync_console.web.words import languages

language = Blueprint("language", __name__)


@language.post("/language")
@open_to_all
def choose() -> Response:
    """Back to the page, in another language. In a frame without cookies the session has it."""
    chosen = request.form.get("language", "")
    if chosen not in languages():
        raise BadRequest(_("The pages are not there in this language."))
    session = session_of_request()
    if session is not None:
        parts().access.sessions.choose_language(session, chosen)
    answer = redirect(kept.target() if request.form.get("login_target") else "/", 303)
    current_app.extensions["console_secrets"].set_language_cookie(answer, chosen)
    return answer
