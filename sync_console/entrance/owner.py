"""A site's owner, in a frame of the dashboard of Wix: ``/owner?instance=…``.

The instance leaves the address at once. Where the browser gives frames no cookies, the pages carry
the session themselves, in a header of htmx and in a field of each form.
"""

from __future__ import annotations

import structlog
from flask import Blueprint, current_app, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from sync_console.web.parts import open_to_all, parts, session_of_request
from sync_console.web.sessions import BrowserSecrets
from sync_worker.services.access.owners import InstanceRefused

owner = Blueprint("owner", __name__)
log = structlog.get_logger(__name__)


@owner.before_request
def may_be_framed() -> None:
    g.may_be_framed = True


@owner.get("/owner")
@open_to_all
def come_in() -> Response:
    instance, locale = request.args.get("instance", ""), request.args.get("locale", "")
    code = parts().access.owners.come_in(instance, locale, session_of_request())
    if code is None:
        return redirect("/", 303)
    answer = redirect(f"/owner/in?code={code}", 303)
    _secrets().set_trial_cookie(answer)
    return answer


@owner.get("/owner/in")
@open_to_all
def take_over() -> Response:
    secret = parts().access.sessions.take_over(request.args.get("code", ""))
    if secret is None:
        raise InstanceRefused("code", "Open this page anew from the dashboard of your site.")
    if _secrets().has_trial_cookie(request):
        answer = redirect("/", 303)
        _secrets().set_owner_cookie(answer, secret)
        return answer
    g.secret, g.by_header = secret, True
    return make_response(render_template("entrance/frame.html"))


@owner.app_errorhandler(InstanceRefused)
def refused(error: InstanceRefused) -> Response:
    log.warning("owner_refused", reason=error.reason)
    page = render_template("errors/error.html", title=str(error), words="", is_outside=True)
    return make_response(page, 403)


def _secrets() -> BrowserSecrets:
    found: BrowserSecrets = current_app.extensions["console_secrets"]
    return found
