"""Overview: one sentence, then what needs somebody by the harm that it does, then the last day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint, current_app, g
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from sync_console.pages.charts import Chart, Series, stacked
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import gettext
from sync_worker.services.access.who import Right
from sync_worker.services.causes import NO_SITE_YET, NOTHING_RUNS
from sync_worker.services.overview import Hour, Overview

overview = Blueprint("overview", __name__)


@overview.get("/")
@needs(Right.LOOK)
def index() -> Response:
    found = parts().overview.overview(g.who)
    return show(
        "overview/overview.html",
        overview=found,
        charts=charts_of(found.hours),
        place_of=place_of,
        has_no_site=found.sentence == NO_SITE_YET,
        is_of_one_site=found.site_id is not None,
        kind=_kind_of(found),
    )


def charts_of(hours: Sequence[Hour]) -> Mapping[str, tuple[Chart, Sequence[Series]]]:
    """By title. One site alone has no door of its own, and no ages."""
    if not hours:
        return {}
    starts = [hour.starts_at for hour in hours]
    found = dict[str, tuple[Chart, Sequence[Series]]]()
    if hours[0].accepted is not None:
        door = (
            Series("good", gettext("accepted"), [hour.accepted or 0 for hour in hours]),
            Series("bad", gettext("refused"), [hour.refused or 0 for hour in hours]),
        )
        found[gettext("Webhooks at the door")] = (stacked(starts, door), door)
    across = (
        Series("good", gettext("crossed"), [hour.crossed for hour in hours]),
        Series("warn", gettext("held"), [hour.held for hour in hours]),
    )
    found[gettext("Ratings")] = (stacked(starts, across), across)
    if any(hour.age_p95_seconds is not None for hour in hours):
        words = gettext("95 of 100 were across within")
        age = (Series("plain", words, [hour.age_p95_seconds or 0.0 for hour in hours]),)
        found[gettext("Time from the door to the end")] = (stacked(starts, age, " s"), age)
    return found


def place_of(place: str) -> str:
    """Where one sees more; empty where there is no such page for who asks."""
    path = place.partition("?")[0]
    if g.who.site_id is not None:
        path = place = {"/sites": f"/sites/{g.who.site_id}", "/machines": ""}.get(path, place)
    if not path:
        return ""
    try:
        current_app.url_map.bind("localhost").match(path)
    except RequestRedirect:
        return place
    except HTTPException:
        return ""
    return place


def _kind_of(found: Overview) -> str:
    if found.is_well:
        return "good"
    return "bad" if found.sentence == NOTHING_RUNS else "warn"
