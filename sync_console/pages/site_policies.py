"""The policies of a site as questions, with a preview of what other answers do."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, g, make_response, request
from werkzeug.wrappers import Response

from sync_console.pages.sites import SITE, site_page
from sync_console.web.actions import act, why
from sync_console.web.parts import needs, parts
from sync_console.web.words import ngettext
from sync_worker.core.said import said
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import Right
from sync_worker.services.sites.questions import GROUPS

site_policies = Blueprint("policies", __name__)
CHOSEN, SEEN = "policy.", "seen."  # before the names of fields


@site_policies.get(f"{SITE}/policies")
@needs(Right.LOOK)
def index(site_id: int) -> Response:
    return make_response(
        site_page(
            "sites/policies.html",
            site_id,
            asked=parts().policies.asked(g.who, site_id),
            groups=GROUPS,
            may_change=g.who.may(Right.POLICY, site_id),
        )
    )


@site_policies.post(f"{SITE}/policies/preview")
@needs(Right.POLICY)
def preview(site_id: int) -> Response:
    """Changes nothing."""
    found = parts().policies.preview(g.who, site_id, _given(CHOSEN))
    return make_response(site_page("sites/policy_preview.html", site_id, preview=found))


@site_policies.post(f"{SITE}/policies")
@needs(Right.POLICY)
def change(site_id: int) -> Response:
    chosen, seen = _given(CHOSEN), _given(SEEN)

    def do() -> str:
        current = {one.question.name: one.chosen for one in parts().policies.asked(g.who, site_id)}
        for name, value in seen.items():
            if current.get(name) != value:
                raise ChangedMeanwhile(
                    said(
                        "Somebody has answered %(name)s meanwhile: it was %(before)s and is"
                        " %(now)s. Nothing was changed: look at the questions again.",
                        name=name,
                        before=value,
                        now=current.get(name),
                    )
                )
        parts().policies.change(g.who, site_id, chosen, why())
        words = ngettext("%(num)d answer is changed.", "%(num)d answers are changed.", len(chosen))
        return words % {"num": len(chosen)}

    return act(do, f"/sites/{site_id}/policies")


def _given(prefix: str) -> Mapping[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in request.form.items()
        if name.startswith(prefix)
    }
