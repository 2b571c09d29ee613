"""Actions of people: a POST that is done once, and a page that says what came of it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, redirect, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from sync_console.web.numbers import MAX_NUMBER, number_in
from sync_console.web.parts import NotLoggedIn, parts, session_of_request
from sync_console.web.words import gettext
from sync_worker.services.access.secrets import new_secret
from sync_worker.services.access.sessions import Session

FORM = "form"  # the field with the token of a form
DONE = "done"  # the same, in the address of the page that tells


def act(do: Callable[[], str], back: str) -> Response:
    """Do it once; then to the page ``back``, which shows the sentence that ``do`` returns.

    Raises what ``do`` raises.
    """
    token = request.form.get(FORM, "")
    if not token:
        raise BadRequest(gettext("The form has no token of its own; open the page anew."))
    # Kept for the one who has sent it: in their language.
    parts().access.forms.once(token, _session(), lambda: gettext(do()))
    mark = "&" if "?" in back else "?"
    return redirect(f"{back}{mark}{DONE}={token}", 303)


def result() -> str | None:
    """What came of the form in the address of this page."""
    token, session = request.args.get(DONE, ""), session_of_request()
    if not token or session is None:
        return None
    return parts().access.forms.result_of(token, session)


def version() -> int | None:
    """What the form was made for; ``None``: it does not say."""
    return number_in(request.form.get("version", ""), MAX_NUMBER)


def typed_count() -> int | None:
    """How many somebody says that it is about."""
    return number_in(request.form.get("count", ""), MAX_NUMBER)


def why() -> str:
    """The reason that somebody gives; may be empty."""
    return request.form.get("why", "").strip()


def _session() -> Session:
    session = session_of_request()
    if session is None:
        raise NotLoggedIn
    return session


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(form_token=new_secret, result=result)
