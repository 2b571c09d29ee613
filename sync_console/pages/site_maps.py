"""The products of a site: what waits to be mapped, pairs to confirm, files, and all maps."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, g, make_response, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from sync_console.pages.sites import MAX_WORD, SITE, number, site_page
from sync_console.web.actions import act, why
from sync_console.web.numbers import number_in
from sync_console.web.parts import needs, parts
from sync_console.web.words import gettext as _
from sync_console.web.words import ngettext
from sync_worker.services.access.who import Right
from sync_worker.services.sites.mapping import MAX_PROBLEMS, WAYS, RowsRefused, mapped_words

site_maps = Blueprint("maps", __name__)


@site_maps.get(f"{SITE}/maps")
@needs(Right.LOOK)
def index(site_id: int) -> Response:
    return _page(site_id, 200)


@site_maps.post(f"{SITE}/maps/confirm")
@needs(Right.MAP)
def confirm(site_id: int) -> Response:
    """The chosen pairs, or all of one way."""
    way = request.form.get("way", "")
    if way:
        ways = [one for one in WAYS if one == way]
        return act(
            lambda: mapped_words(parts().maps.confirm_all(g.who, site_id, ways)), _back(site_id)
        )
    pairs = _numbers("pair")
    return act(lambda: mapped_words(parts().maps.confirm(g.who, site_id, pairs)), _back(site_id))


@site_maps.post(f"{SITE}/maps/refuse")
@needs(Right.MAP)
def refuse(site_id: int) -> Response:
    pairs = _numbers("pair")

    def do() -> str:
        count = parts().maps.refuse(g.who, site_id, pairs)
        words = ngettext(
            "%(num)d pair is not the same thing, and is not proposed again.",
            "%(num)d pairs are not the same thing, and are not proposed again.",
            count,
        )
        return words % {"num": count}

    return act(do, _back(site_id))


@site_maps.post(f"{SITE}/maps/file")
@needs(Right.MAP)
def send_file(site_id: int) -> Response:
    """A file is taken whole or not at all."""
    sent = request.files.get("file")
    content = sent.read() if sent is not None else b""
    if not content:
        raise BadRequest(_("Choose a file first: it is CSV with the columns that the page names."))
    try:
        return act(
            lambda: mapped_words(parts().maps.add(g.who, site_id, content, why())), _back(site_id)
        )
    except RowsRefused as refused:
        return _page(site_id, 422, refused.problems)


@site_maps.post(f"{SITE}/maps/remove")
@needs(Right.MAP)
def remove(site_id: int) -> Response:
    (map_id,) = _numbers("map")[:1] or [0]
    return act(lambda: parts().maps.remove(g.who, site_id, map_id, why()), _back(site_id))


def _page(site_id: int, status: int, problems: Sequence[str] = ()) -> Response:
    word = request.args.get("word", "").strip()[:MAX_WORD]
    page = site_page(
        "sites/maps.html",
        site_id,
        waiting=parts().maps.waiting(g.who, site_id),
        proposed=parts().maps.proposed(g.who, site_id, number("pairs_after")),
        maps=parts().maps.page(g.who, site_id, word, number("after")),
        word=word,
        problems=problems[:MAX_PROBLEMS],
        more_problems=max(0, len(problems) - MAX_PROBLEMS),
        may_map=g.who.may(Right.MAP, site_id),
    )
    return make_response(page, status)


def _numbers(name: str) -> list[int]:
    given = (number_in(word) for word in request.form.getlist(name))
    return [number for number in given if number is not None]


def _back(site_id: int) -> str:
    return f"/sites/{site_id}/maps"
