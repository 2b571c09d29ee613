"""The pages that the benchmark of the console asks for, each as somebody would open it."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.console_fill import Filling

BIG = 1  # the largest shop, which one of ten ratings belongs to
SMALL = 2
PERSON = "p77@example.com"
HELD = {
    "of a site": f"site={BIG}",
    "of a small site": f"site={SMALL}",
    "from Wix": "side=wix",
    "over 7 days old": "age=7",
    "of an e-mail address": f"person={PERSON}",
    "of an address that waits": "person=new9%40example.com",
    "of a contact": "person=c100",
    "of a product": "product=sku-17",
    "of a product that waits": "product=new-7",
    "of a title": "product=Tea+pot+17",
    "of a person and site": f"person={PERSON}&site={BIG}",
    "of a product and site": f"product=new-7&site={BIG}",
}
AUDIT = {
    "": "",
    "of a person": "actor=sam",
    "of nobody": "actor=nobody",
    "of a kind": "what=site.pause",
    "of a site": f"site={BIG}",
    "of a person, kind and site": f"actor=sam&what=site.pause&site={BIG}",
}


def pages_of_operator(of: Filling) -> Mapping[str, str]:
    """By what they show: the address. All pages of the menu, with each filter."""
    pages = {"overview": "/", "held": "/held", "on its way": "/waiting", "ratings": "/ratings"}
    pages |= _asked("held", "/held", HELD)
    pages |= {
        "held for a reason": "/held/unknown_entity",
        "held for a reason, a site": f"/held/unknown_entity?site={BIG}",
        "held for a reason, looked ahead": "/held/unknown_entity?preview=1",
        "held for a reason, of a person": f"/held/fight?person={PERSON}",
        "a held one of a rating": f"/held/{11 * (2 * (of.held // 4))}",
        "a held one of none": f"/held/{11 * (2 * (of.held // 4) + 1)}",
        "on its way, of a site": f"/waiting?site={BIG}",
        "a rating": f"/ratings/{of.links // 2 + 1}",
        "a rating that something is held of": f"/ratings/{1 + (2 * 7919) % of.links}",
    }
    pages |= _asked("ratings:", "/ratings", _searches(of))
    pages |= _asked("activity", "/activity", _activity(of))
    pages |= _asked("sites", "/sites", _lists_of_sites(of))
    for name, number in (("the largest site", BIG), ("a small site", SMALL)):
        pages[name] = f"/sites/{number}"
        for part in ("maps", "policies", "account", "compare", "onboarding"):
            pages[f"{name}, {part}"] = f"/sites/{number}/{part}"
    pages |= {"compare": "/compare", "machines": "/machines", "users": "/users"}
    return pages | _asked("audit", "/audit", AUDIT)


def _searches(of: Filling) -> Mapping[str, str]:
    rating, held = of.links // 2 + 1, 11 * (of.held // 2 + 1)
    return {
        "an e-mail address": "q=p77%40example.com",
        "a name": "q=Hanna",
        "a whole name": "q=Hanna+Muster77",
        "a SKU": "q=sku-77",
        "a title": "q=Tea+pot+7",
        "an external id": "q=e-4711",
        "an id on Wix": "q=w-4711",
        "the start of ids": "q=e-47",
        "a contact": "q=c4711",
        "an instance": "q=instance-0",
        "a short id": f"q=r{rating}",
        "a delivery": f"q=%23{held}",
        "a line of history": "q=h4711",
        "an address that waits": "q=new9%40example.com",
        "nothing there is": "q=nothing+of+it",
        "held": "state=held",
        "in step": "state=in_step",
        "standing still": "state=stopped",
        "gone": "state=gone",
        "not linked": "state=not_linked",
        "differing": "differs=1",
        "differing, of a site": f"differs=1&site={BIG}",
        "held, of a site": f"state=held&site={BIG}",
        "of a product": "product=sku-77",
        "changed in an hour": "since=1h",
        "changed in 30 days": "since=30d",
        "further on": f"state=in_step&after={of.links // 2}",
    }


def _activity(of: Filling) -> Mapping[str, str]:
    return {
        "": "",
        "of a site": f"site={BIG}",
        "of a small site": f"site={SMALL}",
        "of a person": "actor=sam",
        "of nobody": "actor=nobody",
        "written": "kind=writes",
        "deleted": "kind=deletes",
        "moved": "kind=moves",
        "by people": "kind=people",
        "overwritten": "overwritten=1",
        "in an hour": "since=1h",
        "further on": f"after={of.links // 2}",
    }


def _lists_of_sites(of: Filling) -> Mapping[str, str]:
    sites = {
        "": "",
        "active": "state=active",
        "paused": "state=paused",
        "in trouble": "trouble=any",
        "of a connector": "connector=own-service",
        "by instance": "name=instance-77",
        "by number": "name=77",
        "further on": f"after=1.{of.sites // 2}",
    }
    troubles = ("paused", "refused", "never_compared", "work_fails", "no_account")
    return sites | {trouble: f"trouble={trouble}" for trouble in troubles}


def pages_of_owner() -> Mapping[str, str]:
    """The same for the owner of the largest shop."""
    asked = {
        "overview": "/",
        "held": "/held",
        "held, of an e-mail address": "/held?person=p77%40example.com",
        "held, of a contact": "/held?person=c100",
        "held, of a product": "/held?product=sku-100001",
        "held, of a product that waits": "/held?product=new-7",
        "held for a reason": "/held/unknown_entity",
        "held for a reason, from Wix": "/held/unknown_contact?side=wix",
        "held for a reason, of a product": "/held/unknown_entity?product=new-7",
        "on its way": "/waiting",
        "ratings": "/ratings",
        "ratings, a name": "/ratings?q=Hanna",
        "ratings, an e-mail address": "/ratings?q=p77%40example.com",
        "ratings, held": "/ratings?state=held",
        "ratings, not linked": "/ratings?state=not_linked",
        "ratings, gone": "/ratings?state=gone",
        "ratings, differing": "/ratings?differs=1",
        "ratings, changed in 7 days": "/ratings?since=7d",
        "activity": "/activity",
        "activity, of a person": "/activity?actor=sam",
        "activity, overwritten": "/activity?overwritten=1",
        "audit": "/audit",
        "audit, of a person": "/audit?actor=sam",
        "the site": f"/sites/{BIG}",
        "maps": f"/sites/{BIG}/maps",
        "maps, of a word": f"/sites/{BIG}/maps?word=sku-100001",
        "policies": f"/sites/{BIG}/policies",
        "account": f"/sites/{BIG}/account",
        "compare": f"/sites/{BIG}/compare",
        "onboarding": f"/sites/{BIG}/onboarding",
    }
    return {f"owner: {name}": path for name, path in asked.items()}


def _asked(page: str, path: str, filters: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, words in filters.items():
        found[f"{page} {name}".strip()] = f"{path}?{words}" if words else path
    return found
