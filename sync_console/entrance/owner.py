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
from sync_console.web.words import gettext as _
from sync_worker.services.access.owners import ANEW, UNKNOWN_SITE, InstanceRefused
from sync_worker.services.access.sessions import Session

owner = Blueprint("owner", __name__)
AGAIN_SECONDS = 2  # after which a page that came too early asks again
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
        return redirect(_first_page(session_of_request()), 303)
    answer = redirect(f"/owner/in?code={code}", 303)
    _secrets().set_trial_cookie(answer)
    return answer


@owner.get("/owner/in")
@open_to_all
def take_over() -> Response:
    secret = parts().access.sessions.take_over(request.args.get("code", ""))
    if secret is None:
        raise InstanceRefused("code", ANEW)
    first_page = _first_page(parts().access.sessions.find(secret))
    if _secrets().has_trial_cookie(request):
        answer = redirect(first_page, 303)
        _secrets().set_owner_cookie(answer, secret)
        return answer
    g.secret, g.by_header = secret, True
    return make_response(render_template("entrance/frame.html", first_page=first_page))


@owner.app_errorhandler(InstanceRefused)
def refused(error: InstanceRefused) -> Response:
    log.warning("owner_refused", reason=error.reason)
    is_early = error.reason == UNKNOWN_SITE
    words = _("If it was installed just now, this page opens by itself in a moment.")
    page = render_template(
        "errors/error.html", title=error.words, words=words if is_early else "", is_outside=True
    )
    answer = make_response(page, 403)
    # The owner may be quicker than Wix's webhook. Nothing is used up, and the instance grows old.
    if is_early:
        answer.headers["Refresh"] = str(AGAIN_SECONDS)
    return answer


def _first_page(session: Session | None) -> str:
    """The first steps, as long as they are under way."""
    if session is None or session.who.site_id is None:
        return "/"
    site_id = session.who.site_id
    is_under_way = parts().guide.is_under_way(session.who, site_id)
    return f"/sites/{site_id}/onboarding" if is_under_way else "/"


def _secrets() -> BrowserSecrets:
    found: BrowserSecrets = current_app.extensions["console_secrets"]
    return found
