"""A one-time link: to open it uses nothing up, its button lets in."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from sync_console.entrance.login import with_cookie
from sync_console.web.addresses import client_address
from sync_console.web.parts import open_to_all, parts
from sync_worker.core.errors import Misconfigured
from sync_worker.services.access.logins import LoginRefused

invitation = Blueprint("invitation", __name__)


@invitation.get("/invitation/<secret>")
@open_to_all
def page(secret: str) -> Response:
    return _show(secret)


@invitation.post("/invitation/<secret>")
@open_to_all
def come_in(secret: str) -> Response:
    password = request.form.get("new_password", "")
    try:
        session = parts().access.logins.come_in(secret, password, client_address())
    except Misconfigured as error:
        return _show(secret, error.message, 422)
    except LoginRefused:
        return _show(secret)
    return with_cookie(redirect("/", 303), session)


def _show(secret: str, refused: str = "", status: int = 200) -> Response:
    whose = parts().access.links.whose(secret)
    if whose is None:
        status = 410
    name = whose[1] if whose else None
    page = render_template("entrance/invitation.html", name=name, refused=refused)
    return make_response(page, status)
