"""What a command and an endpoint answer about sites and pairs, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_worker.core.values import EntityRef
from sync_worker.core.values.catalogue import ProposedPair
from tests.integration.console.both import WHY, Both, go_on


def propose(both: Both, first: int = 0) -> None:
    pairs = [
        ProposedPair(EntityRef(f"w-{n}", "stores", "reviews"), EntityRef(f"e-{n}"), "sku", "a", "b")
        for n in range(first, first + 2)
    ]
    both.ground.admin.proposals.replace(1, pairs)


def pairs(both: Both) -> tuple[Any, Any]:
    propose(both)
    return both.command("onboard", "pairs", "--site", "1"), both.get("/sites/1/pairs")["pairs"]


def pairs_confirm(both: Both) -> tuple[Any, Any]:
    propose(both)
    told = both.command("onboard", "pairs", "--site", "1", "--confirm")
    propose(both, first=2)
    return told, both.post("/sites/1/pairs/confirm-all")


def pairs_refuse(both: Both) -> tuple[Any, Any]:
    propose(both, first=4)
    first, second = (pair["id"] for pair in both.get("/sites/1/pairs")["pairs"])
    told = both.command("onboard", "pairs", "--site", "1", "--refuse", str(first))
    return told, both.post("/sites/1/pairs/refuse", numbers=[second])


def site_history(both: Both) -> tuple[Any, Any]:
    return both.command("site", "history", "--site", "2"), both.get("/audit?site_id=2")


def site_pause(both: Both) -> tuple[Any, Any]:
    go_on(both, 1)
    told = both.command("site", "pause", "--site", "1", *WHY)
    go_on(both, 1)
    return told, both.post("/sites/1/pause", why="w")


def site_resume(both: Both) -> tuple[Any, Any]:
    both.post("/sites/1/pause", why="w")
    told = both.command("site", "resume", "--site", "1", *WHY)
    both.post("/sites/1/pause", why="w")
    return told, both.post("/sites/1/resume", why="w")


def site_policy(both: Both) -> tuple[Any, Any]:
    told = both.command("site", "policy", "deletes=ignore", "--site", "1")
    return told, both.post("/sites/1/policies", policies={"deletes": "propagate"})


def policy_preview(both: Both) -> tuple[Any, Any]:
    told = both.command("site", "policy", "conflict=wix", "--site", "1", "--preview")
    return told, both.post("/sites/1/policies/preview", policies={"conflict": "wix"})


SCENES_OF_SITES: Mapping[str, Any] = {
    "onboard pairs": pairs,
    "onboard pairs --confirm": pairs_confirm,
    "onboard pairs --refuse": pairs_refuse,
    "site history": site_history,
    "site pause": site_pause,
    "site policy": site_policy,
    "site policy --preview": policy_preview,
    "site resume": site_resume,
}
