"""The first steps of a site for programs; what asks a live system, a worker does."""

from __future__ import annotations

from flask import g

from sync_console.api import answers
from sync_console.api.asked_of_sites import Confirmed, LeftOut, OneStep
from sync_console.api.endpoints import get, post
from sync_console.api.sites import SITE
from sync_console.api.theirs import known_site
from sync_console.web.parts import parts
from sync_worker.services.access.who import Right
from sync_worker.services.onboarding.document import ShownSteps


@get(f"{SITE}/onboarding", Right.LOOK)
def site_onboarding(_: object, site_id: int) -> ShownSteps:
    """Where a site stands, and its next step. Asks nobody."""
    known_site(site_id)
    return parts().guide.shown(g.who, site_id)


@post(f"{SITE}/onboarding/run", Right.COMPARE, Confirmed)
def site_onboarding_run(asked: Confirmed, site_id: int) -> answers.Sentence:
    """Let a worker go on, up to the first step that needs a person."""
    known_site(site_id)
    seen = asked.confirm or ""
    says_yes = asked.confirm is not None
    return answers.Sentence(parts().guide.go_on(g.who, site_id, seen, says_yes=says_yes))


@post(f"{SITE}/onboarding/skip", Right.COMPARE, LeftOut)
def site_onboarding_skip(asked: LeftOut, site_id: int) -> answers.Sentence:
    """Do without the next step; ``why`` is needed."""
    known_site(site_id)
    return answers.Sentence(parts().guide.skip(g.who, site_id, asked.step, asked.why.strip()))


@post(f"{SITE}/onboarding/again", Right.COMPARE, OneStep)
def site_onboarding_again(asked: OneStep, site_id: int) -> answers.Sentence:
    """A step, and all that follow from it, anew."""
    known_site(site_id)
    return answers.Sentence(parts().guide.again(g.who, site_id, asked.step))
