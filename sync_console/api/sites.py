"""Sites for programs: looked at, paused, asked for their policies and maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import g

from sync_console.api import answers
from sync_console.api.asked import (
    AfterNumber,
    AllPairs,
    MapGone,
    MapsFile,
    Pairs,
    Pause,
    PolicyAnswers,
    Resume,
    WhichMaps,
    WhichSites,
)
from sync_console.api.endpoints import behind, get, post
from sync_console.api.theirs import known_site
from sync_console.web.parts import parts
from sync_console.web.programs import NotAsked
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Policy, Site, SiteState
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.who import Right
from sync_worker.services.sites.mapping import MAX_PROBLEMS, Mapped, RowsRefused
from sync_worker.services.sites.pausing import Rested
from sync_worker.services.sites.policies import PolicyPreview
from sync_worker.services.sites.sites import SitesWanted

Done = TypeVar("Done")
SITE = "/sites/<int(max=999999999999):site_id>"


@get("/sites", Right.LOOK, WhichSites)
def sites(asked: WhichSites) -> answers.SiteRows:
    """All sites, those in trouble first."""
    wanted = SitesWanted(
        asked.name or None, asked.state, asked.connector or None, asked.in_trouble, asked.trouble
    )
    page = parts().sites.page(g.who, wanted, asked.after)
    return answers.SiteRows(page.sites, **behind(page.after))


@get(SITE, Right.LOOK)
def site(_: object, site_id: int) -> answers.OneSite:
    """One site: its state and troubles, its policies, its products that wait to be mapped."""
    known_site(site_id)
    found, asked = parts().sites.one(g.who, site_id), parts().policies.asked(g.who, site_id)
    return answers.OneSite(found, asked, parts().maps.waiting(g.who, site_id))


@post(f"{SITE}/pause", Right.PAUSE, Pause)
def site_pause(asked: Pause, site_id: int) -> Rested:
    """From now on what comes is kept and waits."""
    _refuse_if_changed(site_id, asked.state)
    until = None if asked.until is None else asked.until.timestamp()
    if until is not None and asked.seconds is not None:
        raise NotAsked({"seconds": "say until when, or for how long, not both"})
    return parts().pausing.pause(g.who, site_id, asked.why.strip(), until, asked.seconds)


@post(f"{SITE}/resume", Right.PAUSE, Resume)
def site_resume(asked: Resume, site_id: int) -> Rested:
    """It goes on as before the pause."""
    _refuse_if_changed(site_id, asked.state)
    return parts().pausing.resume(g.who, site_id, asked.why.strip())


@post(f"{SITE}/policies/preview", Right.POLICY, PolicyAnswers)
def site_policies_preview(asked: PolicyAnswers, site_id: int) -> PolicyPreview:
    """What these answers would change; nothing is changed."""
    known_site(site_id)
    return _as_field(lambda: parts().policies.preview(g.who, site_id, asked.policies))


@post(f"{SITE}/policies", Right.POLICY, PolicyAnswers)
def site_policies(asked: PolicyAnswers, site_id: int) -> answers.Answers:
    """Change policies; 409 if one of ``seen`` is not as it was."""
    current = _policies(known_site(site_id))
    for name, value in asked.seen.items():
        if current.get(name) != value:
            raise ChangedMeanwhile(
                f"Policy {name} was {value} when you looked, and is {current.get(name)} now."
                " Nothing was changed."
            )
    why = asked.why.strip()
    changed = _as_field(lambda: parts().policies.change(g.who, site_id, asked.policies, why))
    return answers.Answers(changed.id, _policies(changed))


@get(f"{SITE}/mappings", Right.LOOK, WhichMaps)
def site_mappings(asked: WhichMaps, site_id: int) -> answers.MapRows:
    """The maps of its products."""
    known_site(site_id)
    page = parts().maps.page(g.who, site_id, asked.word.strip(), asked.after)
    return answers.MapRows(page.maps, **behind(page.after))


@post(f"{SITE}/mappings/import", Right.MAP, MapsFile)
def site_mappings_import(asked: MapsFile, site_id: int) -> Mapped:
    """Map what a CSV file says, whole or not at all."""
    known_site(site_id)
    try:
        return parts().maps.add(g.who, site_id, asked.csv.encode(), asked.why.strip())
    except RowsRefused as refused:
        told = "\n".join(refused.problems[:MAX_PROBLEMS])
        raise NotAsked({"csv": told}) from None


@get(f"{SITE}/pairs", Right.LOOK, AfterNumber)
def site_pairs(asked: AfterNumber, site_id: int) -> answers.PairRows:
    """Pairs of products that the catalogues propose, to be confirmed by a person."""
    known_site(site_id)
    page = parts().maps.proposed(g.who, site_id, asked.after)
    return answers.PairRows(page.pairs, page.counts, **behind(page.after))


@post(f"{SITE}/pairs/confirm", Right.MAP, Pairs)
def site_pairs_confirm(asked: Pairs, site_id: int) -> Mapped:
    """These pairs are one thing each."""
    known_site(site_id)
    return parts().maps.confirm(g.who, site_id, asked.numbers)


@post(f"{SITE}/pairs/confirm-all", Right.MAP, AllPairs)
def site_pairs_confirm_all(asked: AllPairs, site_id: int) -> Mapped:
    """All open pairs are one thing each; 409 if there are not as many as ``count`` by now."""
    known_site(site_id)
    return parts().maps.confirm_all(g.who, site_id, asked.ways, seen=asked.count)


@post(f"{SITE}/pairs/refuse", Right.MAP, Pairs)
def site_pairs_refuse(asked: Pairs, site_id: int) -> answers.RefusedPairs:
    """These are not one thing, and are not proposed again."""
    known_site(site_id)
    return answers.RefusedPairs(parts().maps.refuse(g.who, site_id, asked.numbers))


@post(f"{SITE}/mappings/remove", Right.MAP, MapGone)
def site_mappings_remove(asked: MapGone, site_id: int) -> answers.Sentence:
    """Take a map away that no rating uses."""
    known_site(site_id)
    told = parts().maps.remove(g.who, site_id, asked.id, asked.why.strip())
    return answers.Sentence(told)


def _as_field(do: Callable[[], Done]) -> Done:
    """Raises NotAsked for an answer that there is none of."""
    try:
        return do()
    except Misconfigured as wrong:
        raise NotAsked({"policies": wrong.message}) from None


def _policies(site: Site) -> dict[str, str]:
    return {name: str(getattr(site.policy, name)) for name in Policy.CHOICES}


def _refuse_if_changed(site_id: int, seen: SiteState | None) -> None:
    """Raises NotThere, ChangedMeanwhile."""
    found = known_site(site_id)
    if seen is not None and seen != found.state:
        raise ChangedMeanwhile(
            f"Site {site_id} was {seen} when you looked, and is {found.state} now."
            " Nothing was changed."
        )
