"""The menu: what somebody may look at, in the order of use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import current_app, request

from sync_console.web.parts import session_of_request
from sync_console.web.words import marked as _
from sync_worker.services.access.who import Right

# Pages of a site that stand beside the others.
OF_A_SITE = {"account": "sites", "imports": "sites", "onboarding": "sites"}


@dataclass(frozen=True, slots=True)
class Item:
    """``key``: after ``g`` on the keyboard."""

    endpoint: str
    label: str
    right: Right
    key: str = ""

    @property
    def is_here(self) -> bool:
        blueprint = (request.blueprint or "").partition(".")[0]
        place = OF_A_SITE.get(blueprint, blueprint)
        return place == self.endpoint.partition(".")[0]


ITEMS = (
    Item("overview.index", _("Overview"), Right.LOOK, "o"),
    Item("held.index", _("Needs you"), Right.LOOK, "h"),
    Item("waiting.index", _("On its way"), Right.LOOK, "w"),
    Item("ratings.index", _("Ratings"), Right.LOOK, "r"),
    Item("activity.index", _("Activity"), Right.LOOK, "a"),
    Item("sites.index", _("Sites"), Right.LOOK, "s"),
    Item("compare.index", _("Compare"), Right.LOOK, "c"),
    Item("machines.index", _("Machines"), Right.MACHINES, "m"),
    Item("users.index", _("Users"), Right.USERS, "u"),
    Item("audit.index", _("Audit"), Right.LOOK, "t"),
)


def menu() -> Iterator[Item]:
    """Of who is logged in; pages that are there."""
    session = session_of_request()
    if session is None:
        return
    for item in ITEMS:
        is_there = item.endpoint in current_app.view_functions
        if is_there and session.who.may(item.right, session.who.site_id):
            yield item
