"""The parts of this process, and what a view needs somebody's right for.

Each view says so with ``needs`` or ``open_to_all``; ``check_rights`` asks before each request, and
a view that says nothing is shown to nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Flask, current_app, g, request
from werkzeug.exceptions import NotFound

from sync_worker.services.access.sessions import Session
from sync_worker.services.access.who import Forbidden, Right, Who

if TYPE_CHECKING:
    from sync_worker.wiring.console import ConsoleParts

View = TypeVar("View", bound=Callable[..., Any])
_DECLARED = "_console_right"
# Flask's own view of files.
OPEN_ENDPOINTS = frozenset({"static"})


class NotLoggedIn(Exception):
    """Nobody is logged in, or the session has ended."""


class NotFresh(Exception):
    """What cannot be undone asks for the password once more."""


def parts() -> ConsoleParts:
    """What the pages ask."""
    return cast("ConsoleParts", current_app.extensions["console"])


def session_of_request() -> Session | None:
    return cast("Session | None", g.get("session"))


def needs(right: Right) -> Callable[[View], View]:
    """The view is for who has this right at the site in its address, or at their own."""

    def declare(view: View) -> View:
        setattr(view, _DECLARED, right)
        return view

    return declare


def open_to_all(view: View) -> View:
    """The view is for everybody, logged in or not."""
    setattr(view, _DECLARED, None)
    return view


def has_declared(view: Callable[..., Any]) -> bool:
    """Whether the view says who it is for."""
    return hasattr(view, _DECLARED)


def right_of(view: Callable[..., Any]) -> Right | None:
    """The right that a view needs; ``None``: none."""
    return cast("Right | None", getattr(view, _DECLARED))


def check_rights() -> None:
    """Before each request. Raises NotLoggedIn, Forbidden, NotFound."""
    if request.endpoint is None or request.endpoint in OPEN_ENDPOINTS:
        return
    view = current_app.view_functions[request.endpoint]
    if not has_declared(view):
        raise NotFound
    right = right_of(view)
    if right is None:
        return
    who = cast("Who | None", g.get("who"))
    if who is None:
        raise NotLoggedIn
    check_right(who, right, (request.view_args or {}).get("site_id"))


def check_right(who: Who, right: Right, site_id: int | None) -> None:
    """A page without a site in its address is about all that somebody has: an owner's own site."""
    if site_id is None:
        site_id = who.site_id
    if who.site_id not in (None, site_id):
        # As if it were not there: a stranger's site is nobody's business.
        raise NotFound
    if not who.may(right, site_id):
        raise Forbidden(who, right)


def needs_fresh_login() -> None:
    """Raises NotFresh. An owner has no password here: Wix has just let them in."""
    session = session_of_request()
    if session is None or not (session.is_fresh or session.is_owner):
        raise NotFresh


def init_app(app: Flask) -> None:
    app.before_request(check_rights)
