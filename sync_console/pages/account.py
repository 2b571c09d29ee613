"""The account of a site: what its shop gives, its webhook address, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, g, make_response, request
from werkzeug.wrappers import Response

from sync_console.pages.sites import ACCOUNTS, SITE, STATES, kind_of
from sync_console.web.actions import act, version, why
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import gettext as _
from sync_console.web.words import marked
from sync_worker.core.errors import Misconfigured
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import Right
from sync_worker.services.accounts.giving import BadValues

account = Blueprint("account", __name__)
GIVEN = "set."  # before the names of settings
# A state of an account: the colour that says it again.
ACCOUNT_COLOURS = {
    "new": "plain",
    "active": "good",
    "paused": "warn",
    "failing": "bad",
    "account_locked": "bad",
    "revoked": "plain",
}
VERDICTS = {
    "ok": (marked("good"), "good"),
    "note": (marked("to know"), "plain"),
    "bad": (marked("wrong"), "bad"),
    "skipped": (marked("not looked at"), "plain"),
}


@account.get(f"{SITE}/account")
@needs(Right.LOOK)
def index(site_id: int) -> Response:
    return _page(site_id, request.args.get("connector", ""))


@account.post(f"{SITE}/account")
@needs(Right.ACCOUNT)
def give(site_id: int) -> Response:
    """A first account, or new values of the one that is there."""
    connector, typed = request.form.get("connector", ""), _typed()
    is_same_shop = "same_shop" in request.form
    desk = parts().account_desk

    def do() -> str:
        if connector:
            return desk.give(g.who, site_id, connector, typed, is_same_shop=is_same_shop)
        return desk.change(g.who, site_id, typed, version(), is_same_shop=is_same_shop)

    try:
        return act(do, f"/sites/{site_id}/account")
    except BadValues as error:
        return _again(site_id, connector, typed, error.problems)
    except ChangedMeanwhile as error:
        return _again(site_id, connector, typed, {"": error.message}, 409)
    except Misconfigured as error:
        return _again(site_id, connector, typed, {"": error.message})


@account.post(f"{SITE}/account/probe")
@needs(Right.ACCOUNT)
def probe(site_id: int) -> Response:
    return _done(site_id, lambda: parts().account_desk.probe(g.who, site_id))


@account.post(f"{SITE}/account/pause")
@needs(Right.ACCOUNT)
def pause(site_id: int) -> Response:
    return _done(site_id, lambda: parts().account_desk.pause(g.who, site_id, why(), version()))


@account.post(f"{SITE}/account/resume")
@needs(Right.ACCOUNT)
def resume(site_id: int) -> Response:
    return _done(site_id, lambda: parts().account_desk.resume(g.who, site_id, version()))


@account.post(f"{SITE}/account/address")
@needs(Right.ACCOUNT)
def rotate_address(site_id: int) -> Response:
    return _done(site_id, lambda: parts().account_desk.rotate_address(g.who, site_id))


@account.post(f"{SITE}/account/revoke")
@needs(Right.ACCOUNT)
def revoke(site_id: int) -> Response:
    name = request.form.get("name", "")
    return _done(site_id, lambda: parts().account_desk.revoke(g.who, site_id, why(), name))


def _done(site_id: int, do: Callable[[], str]) -> Response:
    return act(do, f"/sites/{site_id}/account")


def _typed() -> dict[str, str]:
    return {
        name.removeprefix(GIVEN): value.strip()
        for name, value in request.form.items()
        if name.startswith(GIVEN)
    }


def _again(
    site_id: int,
    connector: str,
    typed: Mapping[str, str],
    problems: Mapping[str, str],
    status: int = 422,
) -> Response:
    """The form with what was typed, but for secrets; what is wrong stands beside each field."""
    response = _page(site_id, connector, typed, problems)
    response.status_code = status
    return response


def _page(
    site_id: int,
    connector: str,
    typed: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> Response:
    site = parts().sites.one(g.who, site_id)
    page = parts().account_desk.page(g.who, site_id, connector)
    problems = problems or {}
    shown = {field.name for field in page.fields}
    response = show(
        "account/account.html",
        site=site,
        states=STATES,
        kind_of=kind_of,
        page=page,
        typed=typed or {},
        problems=problems,
        other_problems=[words for name, words in problems.items() if name not in shown],
        is_guided=_is_guided(site_id) if page.account else False,
        may_change=g.who.may(Right.ACCOUNT, site_id),
        accounts=ACCOUNTS,
        account_colours=ACCOUNT_COLOURS,
        verdicts=VERDICTS,
        no_connector=_("No connector is named for the console: CONNECTORS is empty."),
    )
    return make_response(response)


def _is_guided(site_id: int) -> bool:
    """Whether somebody looks who may go on with first steps that are under way."""
    may_go_on = g.who.may(Right.COMPARE, site_id)
    return may_go_on and parts().guide.is_under_way(g.who, site_id)
