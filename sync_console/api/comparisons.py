"""Comparisons of both sides, and imports of files, for programs."""

from __future__ import annotations

from flask import g

from sync_console.api import answers
from sync_console.api.asked_of_sites import AfterRun, Compare, WhichRuns
from sync_console.api.endpoints import behind, get, post
from sync_console.api.sites import SITE
from sync_console.api.theirs import known_site, site_meant
from sync_console.web.parts import parts
from sync_console.web.programs import NotAsked
from sync_worker.services.access.who import Right
from sync_worker.services.comparing import ComparedRun


@get("/comparisons", Right.LOOK, WhichRuns)
def comparisons(asked: WhichRuns) -> answers.Runs:
    """Comparisons and imports, newest first; not the polls."""
    site = site_meant(asked.site_id)
    if site is None:
        page = parts().comparing.everywhere(g.who, asked.after)
    else:
        page = parts().comparing.of_site(g.who, site.id, asked.after).page
    return answers.Runs(page.runs, **behind(page.before))


@get("/comparisons/<int(max=999999999999):run_id>", Right.LOOK)
def comparison(_: object, run_id: int) -> ComparedRun:
    """One of them: where it is, and what it has counted."""
    return parts().comparing.one(g.who, run_id)


@get(f"{SITE}/comparisons", Right.LOOK, AfterRun)
def site_comparisons(asked: AfterRun, site_id: int) -> answers.RunsOfSite:
    """Those of one site; the last whole one, what is under way, and why none can begin now."""
    known_site(site_id)
    found = parts().comparing.of_site(g.who, site_id, asked.after)
    return answers.RunsOfSite(
        found.page.runs,
        found.last,
        found.open,
        found.why_not,
        found.braked_deletes,
        found.braked_seen,
        **behind(found.page.before),
    )


@post(f"{SITE}/comparisons/look", Right.DRY_RUN)
def site_comparisons_look(_: object, site_id: int) -> answers.Sentence:
    """A worker says what a comparison would do; nothing is written."""
    known_site(site_id)
    return answers.Sentence(parts().comparing.dry_run(g.who, site_id))


@post(f"{SITE}/comparisons/run", Right.COMPARE, Compare)
def site_comparisons_run(asked: Compare, site_id: int) -> answers.Sentence:
    """The workers compare both sides whole and bring them in step.

    ``allow_deletes`` and ``seen`` have to be what ``braked_deletes`` and ``braked_seen`` of the
    site's comparisons say: else 409.
    """
    known_site(site_id)
    why, allowed = asked.why.strip(), asked.allow_deletes
    if allowed is not None and not asked.seen:
        raise NotAsked(
            {"seen": "say which deletes: braked_seen, as the site's comparisons said it"}
        )
    run = parts().comparing.run
    return answers.Sentence(run(g.who, site_id, why, allow_deletes=allowed, seen=asked.seen))
