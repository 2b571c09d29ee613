"""The first steps of a site: what is done, what is next, and the yes that a step asks for."""

from __future__ import annotations

from flask import Blueprint, g, request
from werkzeug.wrappers import Response

from sync_console.pages.sites import SITE, STATES, kind_of
from sync_console.web.actions import act, why
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import marked as _
from sync_worker.services.access.who import Right
from sync_worker.services.onboarding.steps import Step

onboarding = Blueprint("onboarding", __name__)
# A step: its title, and what its yes says.
STEPS = {
    "installed": (_("The app is installed"), ""),
    "account": (_("The shop's account is given"), ""),
    "probe": (_("The shop and Wix answer"), ""),
    "webhooks": (_("The shop's webhooks come here"), _("I have made the webhooks")),
    "catalogues": (_("The products of both sides are read"), ""),
    "pairs": (_("Products are paired"), _("These pairs are right: map all of them")),
    "scale": (_("Stars mean the same on both sides"), _("Yes, this is what the stars mean")),
    "dry_run": (_("What the start would write is known"), ""),
    "start": (_("The sync has started"), _("Start the sync")),
}
STATES_OF_STEPS = {
    "to_do": (_("to do"), "plain"),
    "done": (_("done"), "good"),
    "skipped": (_("left out"), "plain"),
    "waits": (_("waits for you"), "warn"),
    "failed": (_("did not work"), "bad"),
}


@onboarding.get(f"{SITE}/onboarding")
@needs(Right.LOOK)
def index(site_id: int) -> Response:
    guide = parts().guide.page(g.who, site_id)
    # What the owner has to copy stands where it is asked for.
    waits_for_hooks = guide.following is not None and guide.following.step is Step.WEBHOOKS
    account = parts().account_desk.page(g.who, site_id).account if waits_for_hooks else None
    return show(
        "onboarding/onboarding.html",
        site=parts().sites.one(g.who, site_id),
        states=STATES,
        kind_of=kind_of,
        guide=guide,
        addresses=[one for one in account.addresses if one.until is None] if account else (),
        steps=STEPS,
        step_states=STATES_OF_STEPS,
        may_act=g.who.may(Right.COMPARE, site_id),
    )


@onboarding.post(f"{SITE}/onboarding")
@needs(Right.COMPARE)
def go_on(site_id: int) -> Response:
    seen, says_yes = request.form.get("seen", ""), "yes" in request.form
    return act(lambda: parts().guide.go_on(g.who, site_id, seen, says_yes=says_yes), _back(site_id))


@onboarding.post(f"{SITE}/onboarding/skip")
@needs(Right.COMPARE)
def skip(site_id: int) -> Response:
    seen = request.form.get("seen", "")
    return act(lambda: parts().guide.skip(g.who, site_id, seen, why()), _back(site_id))


@onboarding.post(f"{SITE}/onboarding/again")
@needs(Right.COMPARE)
def again(site_id: int) -> Response:
    step = request.form.get("step", "")
    return act(lambda: parts().guide.again(g.who, site_id, step), _back(site_id))


def _back(site_id: int) -> str:
    return f"/sites/{site_id}/onboarding"
