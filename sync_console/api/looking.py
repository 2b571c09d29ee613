"""What programs look at: the twins of the pages."""

from __future__ import annotations

from flask import g
from werkzeug.exceptions import NotFound

from sync_console.api import answers
from sync_console.api.asked import (
    AfterNumber,
    HeldRowsAsked,
    OfSite,
    WhichAudit,
    WhichHeld,
    WhichLines,
    WhichRatings,
)
from sync_console.api.endpoints import behind, get
from sync_console.api.theirs import held_meant, site_meant
from sync_console.web.parts import parts
from sync_worker.services.access.who import Right
from sync_worker.services.held.values import HeldDetail, Preview
from sync_worker.services.held.waiting import OnItsWay
from sync_worker.services.machines import Machines
from sync_worker.services.overview import Overview
from sync_worker.services.ratings.activity import ActivityFilter
from sync_worker.services.ratings.rating import OneRating
from sync_worker.services.ratings.search import RatingFilter

RATING = "/ratings/<int(max=999999999999):link_id>"
HELD = "/held/<int(max=999999999999):inbox_id>"
MAX_KINDS = 20


@get("/overview", Right.LOOK, OfSite)
def overview(asked: OfSite) -> Overview:
    """How all stands: one sentence, the causes by harm, the last 24 hours."""
    site_meant(asked.site_id)
    return parts().overview.overview(g.who, asked.site_id)


@get("/held", Right.LOOK, WhichHeld)
def held_groups(asked: WhichHeld) -> answers.Groups:
    """What is held, by reason."""
    return answers.Groups(parts().held_parts.held.groups(g.who, held_meant(asked)))


@get("/held/rows", Right.LOOK, HeldRowsAsked)
def held_rows(asked: HeldRowsAsked) -> answers.HeldRows:
    """What is held, one by one, oldest first."""
    page = parts().held_parts.held.page(g.who, held_meant(asked), asked.after)
    return answers.HeldRows(page.items, **behind(page.next_after))


@get("/held/preview", Right.LOOK, WhichHeld)
def held_preview(asked: WhichHeld) -> Preview:
    """What a release of these is expected to do; nothing is done."""
    return parts().held_parts.held.preview(g.who, held_meant(asked))


@get(HELD, Right.LOOK)
def held_one(_: object, inbox_id: int) -> HeldDetail:
    """One that is held, with its words and its history."""
    found = parts().held_parts.held.detail(g.who, inbox_id)
    if found is None:
        raise NotFound(parts().held_parts.held.what_became(g.who, inbox_id))
    return found


@get("/waiting", Right.LOOK, OfSite)
def waiting(asked: OfSite) -> OnItsWay:
    """What a remote could not take yet, by remote, with the next try."""
    return parts().held_parts.waiting.on_its_way(g.who, site_meant(asked.site_id))


@get("/ratings", Right.LOOK, WhichRatings)
def ratings(asked: WhichRatings) -> answers.RatingRows:
    """Where is the rating of …? Newest first; also deliveries that have come to no rating yet."""
    site_meant(asked.site_id)
    which = RatingFilter(
        asked.site_id, asked.state, asked.differs, asked.product or None, asked.changed_since
    )
    found = parts().search.find(g.who, asked.q.strip(), which, asked.after)
    return answers.RatingRows(found.ratings, found.deliveries, found.is_cut, **behind(found.after))


@get(RATING, Right.LOOK)
def rating(_: object, link_id: int) -> OneRating:
    """Both sides beside each other, what differs and why, and all that happened."""
    found = parts().ratings.one(g.who, link_id)
    if found is None:
        raise NotFound(f"There is no rating r{link_id} here.")
    return found


@get("/activity", Right.LOOK, WhichLines)
def activity(asked: WhichLines) -> answers.Activities:
    """What happened, in words, newest first."""
    site_meant(asked.site_id)
    which = ActivityFilter(
        site_id=asked.site_id,
        actor=asked.actor or None,
        by_people=asked.by_people,
        kinds=[word for word in asked.kinds.split(",") if word][:MAX_KINDS],
        overwritten=asked.overwritten,
        since=asked.since,
    )
    page = parts().activity.page(g.who, which, asked.after)
    return answers.Activities(page.lines, page.looked_back_to, **behind(page.after))


@get("/machines", Right.MACHINES)
def machines(_: object) -> Machines:
    """What runs where, and whether queue, Redis and SQL answer."""
    return parts().machines.look(g.who)


@get("/audit", Right.LOOK, WhichAudit)
def audit(asked: WhichAudit) -> answers.AuditRows:
    """Who did what, when and why, newest first."""
    site_meant(asked.site_id)
    page = parts().access.audit.page(
        g.who,
        site_id=asked.site_id,
        actor=asked.actor.strip(),
        what=asked.what,
        before=asked.after,
    )
    return answers.AuditRows(page.lines, page.kinds, **behind(page.next_before))


@get("/users", Right.USERS, AfterNumber)
def users(asked: AfterNumber) -> answers.UserRows:
    """Who may come in, and by which role."""
    page = parts().access.people.page(g.who, asked.after)
    return answers.UserRows(page.people, **behind(page.next_after))
