"""Comparisons of both sides: the last whole one, what is under way, all others and imports."""

from __future__ import annotations

from flask import Blueprint, g, redirect, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from sync_console.pages.sites import SITE, STATES, kind_of, number
from sync_console.web.actions import act, typed_count, why
from sync_console.web.parts import needs, needs_fresh_login, parts
from sync_console.web.show import show
from sync_console.web.words import gettext
from sync_console.web.words import marked as _
from sync_worker.services.access.who import Right
from sync_worker.services.counted import counted

compare = Blueprint("compare", __name__)
KINDS = {
    "baseline": _("First comparison"),
    "sweep": _("Comparison"),
    "dry_run": _("Look, nothing written"),
    "import": _("Import of a file"),
}
PHASES = {
    "external": _("reads the shop"),
    "wix": _("reads Wix"),
    "confirm": _("looks again for what was not listed"),
    "apply": _("brings both sides in step"),
}
RUN_STATES = {
    "running": (_("under way"), "warn"),
    "done": (_("done"), "good"),
    "abandoned": (_("given up"), "bad"),
}


@compare.get("/compare")
@needs(Right.LOOK)
def index() -> Response:
    if g.who.site_id is not None:
        return redirect(f"/sites/{g.who.site_id}/compare")
    page = parts().comparing.everywhere(g.who, number("after") or None)
    return show("compare/all.html", page=page, **_words())


@compare.get(f"{SITE}/compare")
@needs(Right.LOOK)
def site(site_id: int) -> Response:
    compared = parts().comparing.of_site(g.who, site_id, number("after") or None)
    return show(
        "compare/site.html",
        site=parts().sites.one(g.who, site_id),
        states=STATES,
        kind_of=kind_of,
        compared=compared,
        page=compared.page,
        may_look=g.who.may(Right.DRY_RUN, site_id),
        may_run=g.who.may(Right.COMPARE, site_id),
        **_words(),
    )


@compare.post(f"{SITE}/compare/look")
@needs(Right.DRY_RUN)
def look(site_id: int) -> Response:
    return act(lambda: parts().comparing.dry_run(g.who, site_id), f"/sites/{site_id}/compare")


@compare.post(f"{SITE}/compare")
@needs(Right.COMPARE)
def run(site_id: int) -> Response:
    return act(lambda: parts().comparing.run(g.who, site_id, why()), f"/sites/{site_id}/compare")


@compare.post(f"{SITE}/compare/deletes")
@needs(Right.COMPARE)
def let_deletes_go(site_id: int) -> Response:
    """A comparison for which the deletes are right that the brake holds: as many as are typed."""
    needs_fresh_login()
    count, seen = typed_count(), request.form.get("seen", "")
    if not count:
        raise BadRequest(gettext("Type how many deletes are right."))
    return act(
        lambda: parts().comparing.run(g.who, site_id, why(), allow_deletes=count, seen=seen),
        f"/sites/{site_id}/compare",
    )


def _words() -> dict[str, object]:
    return {"kinds": KINDS, "phases": PHASES, "run_states": RUN_STATES, "counted": counted}
