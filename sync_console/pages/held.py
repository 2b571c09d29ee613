"""Needs you: what is held, by reason, row by row, and what can be done about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from babel.dates import format_date
from flask import Blueprint, g, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from sync_console.pages.charts import GAP, LEFT, WIDTH, Chart, Label, Series, stacked
from sync_console.pages.held_asked import AGES, SIDES, after, asked, filter_of, refuse_unknown
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import gettext as _
from sync_console.web.words import language
from sync_worker.core.hold_reasons import hold_reason
from sync_worker.services.access.who import Right
from sync_worker.services.deciding.decisions import CHOOSABLE
from sync_worker.services.held.values import HeldDay, HeldItem
from sync_worker.services.ratings.words import done, why

held = Blueprint("held", __name__)
DAYS = 14
LABEL_EVERY = 4
# Colours of the reasons that most are held for; the others share the last.
KINDS = ("first", "second", "third", "others")


@held.get("/held")
@needs(Right.LOOK)
def index() -> Response:
    service, which = parts().held_parts.held, filter_of()
    groups = service.groups(g.who, which)
    # Of one person or product there are few: their rows say when they came.
    days, series = by_day([] if which.is_of_few else service.days(g.who, which, DAYS))
    return show(
        "held/groups.html",
        groups=groups,
        asked=asked(),
        sides=SIDES,
        ages=AGES,
        last_crossed=None if groups else service.last_crossed(g.who, which),
        days=days,
        series=series,
        chart=chart_of(days, series),
    )


@held.get("/held/<reason>")
@needs(Right.LOOK)
def group(reason: str) -> Response:
    refuse_unknown(reason)
    service, which = parts().held_parts.held, filter_of(reason)
    found = service.groups(g.who, which)
    wants_preview = request.args.get("preview") == "1" and bool(found)
    return show(
        "held/group.html",
        reason=hold_reason(reason),
        group=found[0] if found else None,
        page=service.page(g.who, which, after()),
        is_first=after() == 0,
        asked=asked(),
        sides=SIDES,
        ages=AGES,
        preview=service.preview(g.who, which) if wants_preview else None,
        may_release=g.who.may(Right.RELEASE, which.site.id if which.site else g.who.site_id),
    )


@held.get("/held/<int(max=9223372036854775807):inbox_id>")
@needs(Right.LOOK)
def row(inbox_id: int) -> Response:
    service = parts().held_parts.held
    detail = service.detail(g.who, inbox_id)
    if detail is None:
        raise NotFound(service.what_became(g.who, inbox_id) or _("There is no such delivery here."))
    site_id = detail.item.site_id
    return show(
        "held/row.html",
        detail=detail,
        item=detail.item,
        missing=parts().held_parts.mending.missing(g.who, inbox_id),
        preview=service.preview(g.who, filter_of(numbers=[inbox_id])),
        may_release=g.who.may(Right.RELEASE, g.who.site_id or site_id),
        side_words=side_words,
        done_words=done,
        why_words=why,
        may_choose=_may_choose(detail.item),
    )


def _may_choose(item: HeldItem) -> bool:
    """Whether somebody may say which side is right: of a rating that both sides know."""
    is_open = item.reason in CHOOSABLE and item.link_id is not None
    return is_open and g.who.may(Right.DECIDE, g.who.site_id or item.site_id)


def side_words(side: str) -> str:
    """A side, for people."""
    return _("Wix") if side == "wix" else _("outside")


def by_day(counted: Sequence[HeldDay]) -> tuple[list[date], list[Series]]:
    """The last days, and for each of the largest reasons how many came on them."""
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in range(DAYS)][::-1]
    sums: dict[str, int] = {}
    for one in counted:
        sums[one.title] = sums.get(one.title, 0) + one.count
    titles = sorted(sums, key=lambda title: (-sums[title], title))
    named = titles if len(titles) <= len(KINDS) else titles[: len(KINDS) - 1]
    groups = [[title] for title in named]
    words = [_(title) for title in named]
    if len(named) < len(titles):
        groups.append(titles[len(named) :])
        words.append(_("other reasons"))
    series = []
    for kind, title, its in zip(KINDS, words, groups, strict=False):
        values = [
            sum(one.count for one in counted if one.day == day and one.title in its) for day in days
        ]
        series.append(Series(kind, title, values))
    return days, series


def chart_of(days: Sequence[date], series: Sequence[Series]) -> Chart | None:
    """``None``: nothing that is held now came on these days."""
    if not any(sum(one.values) for one in series):
        return None
    midnights = [datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() for day in days]
    step = (WIDTH - LEFT) / len(days)
    labels = [
        Label(round(LEFT + place * step + GAP, 2), format_date(day, "d MMM", locale=language()))
        for place, day in enumerate(days)
        if place % LABEL_EVERY == 0
    ]
    return replace(stacked(midnights, series), labels=labels)
