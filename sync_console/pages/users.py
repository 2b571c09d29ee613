"""Users: who may come in, by which role; invitations, and the end of sessions."""

from __future__ import annotations

from flask import Blueprint, g, request, url_for
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from sync_console.web.actions import act, version
from sync_console.web.numbers import number_in
from sync_console.web.parts import needs, needs_fresh_login, parts
from sync_console.web.show import show
from sync_console.web.words import gettext as _
from sync_console.web.words import ngettext
from sync_worker.services.access.people import OF_PEOPLE
from sync_worker.services.access.who import Right, Role

users = Blueprint("users", __name__, url_prefix="/users")


@users.get("")
@needs(Right.USERS)
def index() -> Response:
    return _page("")


@users.post("")
@needs(Right.USERS)
def invite() -> Response:
    """The page of the answer shows the link, for it is written down nowhere."""
    invited = parts().access.people.invite(g.who, request.form.get("name", ""), _role())
    return _page(parts().public_url + url_for("invitation.page", secret=invited.secret))


@users.post("/<name>/role")
@needs(Right.USERS)
def change_role(name: str) -> Response:
    needs_fresh_login()

    def do() -> str:
        changed = parts().access.people.set_role(g.who, name, _role(), version())
        return _("%(name)s is %(role)s now.") % {"name": changed.name, "role": changed.role}

    return act(do, url_for(".index"))


@users.post("/<name>/end-sessions")
@needs(Right.USERS)
def end_sessions(name: str) -> Response:
    def do() -> str:
        ended = parts().access.people.end_sessions(g.who, name)
        words = ngettext("%(num)s session has ended.", "%(num)s sessions have ended.", ended)
        return words % {"num": ended}

    return act(do, url_for(".index"))


@users.post("/<name>/remove")
@needs(Right.USERS)
def remove(name: str) -> Response:
    needs_fresh_login()

    def do() -> str:
        parts().access.people.remove(g.who, name, version())
        return _("%(name)s is out, and comes in no more.") % {"name": name}

    return act(do, url_for(".index"))


def _page(link: str) -> Response:
    after = number_in(request.args.get("after", "")) or 0
    page = parts().access.people.page(g.who, after)
    return show("users/users.html", page=page, after=after, roles=OF_PEOPLE, link=link)


def _role() -> Role:
    given = request.form.get("role", "")
    if given not in set(OF_PEOPLE):
        raise BadRequest(_("Choose one of the roles."))
    return Role(given)
