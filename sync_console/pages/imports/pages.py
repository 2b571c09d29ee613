"""The pages: a site's files with a form for another one, and one file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as AnyResponse

from sync_console.pages.imports.words import (
    counted_rows,
    done_rows,
    ends_of,
    following_writes,
    standing_of,
)
from sync_console.pages.sites import SITE, STATES, kind_of, number
from sync_console.web.actions import act, typed_count, why
from sync_console.web.parts import needs, parts
from sync_console.web.show import show
from sync_console.web.words import gettext as _
from sync_worker.core.scale import MappingKind
from sync_worker.core.values import Side
from sync_worker.services.access.who import Right
from sync_worker.services.imports.choosing import Choice, shipped_presets
from sync_worker.services.imports.imports import RejectedPart
from sync_worker.services.imports.sending import MAX_FILE_BYTES, received

imports = Blueprint("imports", __name__)
PATH = f"{SITE}/imports"
FILE = f"{PATH}/<int(max=999999999999):import_id>"
FORM_BYTES = 64 * 1024  # what a form has beside its file
FIRST_ROWS = 10
MAPPINGS: Mapping[str, MappingKind] = {"proportional": "proportional", "span": "span"}
# Between the parts of a form's field of columns.
BETWEEN_PAIRS = re.compile(r"[\n;]+")


@imports.url_value_preprocessor
def allow_large_file(endpoint: str | None, values: object) -> None:
    """Before anybody reads the form."""
    if endpoint == "imports.send":
        request.max_content_length = MAX_FILE_BYTES + FORM_BYTES


@imports.get(PATH)
@needs(Right.LOOK)
def index(site_id: int) -> AnyResponse:
    return show(
        "imports/list.html",
        page=parts().imports.of_site(g.who, site_id, number("after") or None),
        presets=shipped_presets(),
        may_send=g.who.may(Right.DRY_RUN, site_id),
        max_mib=MAX_FILE_BYTES // 1024 // 1024,
        **_of_site(site_id),
    )


@imports.post(PATH)
@needs(Right.DRY_RUN)
def send(site_id: int) -> AnyResponse:
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise BadRequest(_("Choose a file first."))
    choice, name = _choice(), sent.filename

    def do() -> str:
        with received(sent.stream, name, lambda piece: None) as path:
            file = parts().imports.send(g.who, site_id, path, choice)
        rejected = file.counts.get("rejected", 0)
        told = _("%(rows)s rows have come in, %(rejected)s of them cannot be imported.")
        return told % {"rows": f"{file.row_count:,}", "rejected": f"{rejected:,}"}

    return act(do, f"/sites/{site_id}/imports")


@imports.get(FILE)
@needs(Right.LOOK)
def one(site_id: int, import_id: int) -> AnyResponse:
    shown = parts().imports.one(g.who, site_id, import_id)
    may_see = g.who.may(Right.SEE_ADDRESSES, site_id)
    rows = parts().imports.rows(g.who, site_id, import_id).rows[:FIRST_ROWS] if may_see else ()
    rejected = (
        parts().imports.rows(g.who, site_id, import_id, "rejected", number("after"))
        if may_see
        else None
    )
    return show(
        "imports/one.html",
        shown=shown,
        file=shown.file,
        rows=rows,
        rejected=rejected,
        may_act=g.who.may(Right.DRY_RUN, site_id),
        may_run=g.who.may(Right.COMPARE, site_id),
        ends=ends_of(shown.file),
        counted=counted_rows(shown.file),
        done=done_rows(shown.file),
        following=following_writes(shown.file),
        **_of_site(site_id),
    )


@imports.get(f"{FILE}/rejected")
@needs(Right.SEE_ADDRESSES)
def rejected_file(site_id: int, import_id: int) -> AnyResponse:
    """The rejected rows as a file, to be put right and sent again."""
    first = parts().imports.rejected(g.who, site_id, import_id)
    # What is still to be read needs who asks, whose request is over by then.
    who, of = g.who, parts().imports

    def text() -> Iterator[str]:
        part: RejectedPart = first
        yield part.text
        while part.after is not None:
            part = of.rejected(who, site_id, import_id, part.after)
            yield part.text

    answer = Response(text(), mimetype="application/octet-stream")
    answer.headers.set("Content-Disposition", "attachment", filename=first.name)
    return answer


@imports.post(f"{FILE}/look")
@needs(Right.DRY_RUN)
def look(site_id: int, import_id: int) -> AnyResponse:
    return act(lambda: parts().imports.look(g.who, site_id, import_id), _back(site_id, import_id))


@imports.post(f"{FILE}/run")
@needs(Right.COMPARE)
def run(site_id: int, import_id: int) -> AnyResponse:
    count = typed_count()
    if count is None:
        raise BadRequest(_("Type the number that stands there."))
    return act(
        lambda: parts().imports.run(g.who, site_id, import_id, count, why()),
        _back(site_id, import_id),
    )


@imports.post(f"{FILE}/stop")
@needs(Right.DRY_RUN)
def stop(site_id: int, import_id: int) -> AnyResponse:
    return act(lambda: parts().imports.stop(g.who, site_id, import_id), _back(site_id, import_id))


@imports.post(f"{FILE}/remove")
@needs(Right.DRY_RUN)
def remove(site_id: int, import_id: int) -> AnyResponse:
    return act(
        lambda: parts().imports.remove(g.who, site_id, import_id), f"/sites/{site_id}/imports"
    )


def _of_site(site_id: int) -> dict[str, object]:
    return {
        "site": parts().sites.one(g.who, site_id),
        "states": STATES,
        "kind_of": kind_of,
        "standing_of": standing_of,
    }


def _choice() -> Choice:
    """How the file is read, by the fields of the form. Raises BadRequest."""
    preset, scale = _field("preset") or None, None
    if given := _field("scale"):
        ends = given.split(":")
        if len(ends) != 3:
            raise BadRequest(_("A scale is written as least:most:step, such as 1:5:1."))
        scale = (ends[0], ends[1], ends[2])
    columns: dict[str, str] = {}
    for pair in filter(None, (one.strip() for one in BETWEEN_PAIRS.split(_field("columns")))):
        part, equals, column = pair.partition("=")
        if not equals or not part.strip() or not column.strip():
            raise BadRequest(_("Name columns as part=column, each on a line of its own."))
        columns[part.strip()] = column.strip()
    published = tuple(filter(None, (one.strip() for one in _field("published").split(","))))
    mapping, side = _mapping(), _field("entity_of")
    if side and side not in tuple(Side):
        raise BadRequest(_("Choose one of the answers."))
    return Choice(preset, columns, scale, mapping, Side(side) if side else None, published)


def _mapping() -> MappingKind | None:
    """Raises BadRequest."""
    kind = _field("mapping")
    if not kind:
        return None
    found = MAPPINGS.get(kind)
    if found is None:
        raise BadRequest(_("Choose one of the answers."))
    return found


def _field(name: str) -> str:
    return request.form.get(name, "").strip()[:4000]


def _back(site_id: int, import_id: int) -> str:
    return f"/sites/{site_id}/imports/{import_id}"
