"""Exports, streaming: pages in, lines out, and for a file a note of how far it got, so that a
killed export goes on.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from sync_worker.core.errors import Misconfigured, Permanent
from sync_worker.core.values import Record
from sync_worker.core.values.texts import BODY, TITLE
from sync_worker.files.csv_lines import csv_line
from sync_worker.remotes.wix.answers import moment_of
from sync_worker.remotes.wix.events import rating_of

Format = Literal["csv", "jsonl"]
Line = Mapping[str, Any]
PageOf = Callable[[str | None], tuple[Sequence[Line], str | None]]

WIX_COLUMNS = (
    "id",
    "namespace",
    "group",
    "entity_id",
    "attribute",
    "value",
    "contact_id",
    "member_id",
    "visitor_id",
    "revision",
    "created",
    "updated",
    "title",
    "body",
    "author_name",
    "date",
)
LEDGER_COLUMNS = (
    "link",
    "state",
    "wix_namespace",
    "wix_group",
    "wix_entity_id",
    "external_group",
    "external_entity_id",
    "wix_contact_id",
    "email",
    "attribute",
    "wix_id",
    "wix_value",
    "external_id",
    "external_value",
    "wix_title",
    "external_title",
    "wix_body",
    "external_body",
    "wix_reply",
    "external_reply",
    "title",
    "body",
    "author_name",
    "date",
)
QUERIES = ("query_ratings", "query_reviews")
_HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029]")  # JSON leaves them, terminals act on them


def wix_line(rating: Any) -> Line:
    """A rating as Wix sent it, by our columns. Raises Permanent when it is none."""
    record = rating_of(rating)
    line = _line_of(record, rating)
    return line | {"member_id": record.person.member_id, "visitor_id": record.person.visitor_id}


def review_line(record: Record) -> Line:
    """A review of Wix by the same columns."""
    return _line_of(record, record.raw) | {
        "title": record.words.get(TITLE),
        "body": record.words.get(BODY),
        "author_name": record.person.name,
        "date": record.written_at.isoformat() if record.written_at else None,
    }


def ledger_line(line: Line) -> Line:
    """``title``, ``body``, ``author_name``, ``date``: by the names that an import takes.

    ``date``: when its person wrote it, as far as the ledger keeps the review of Wix that says so.
    """
    review = line["wix_record"] or {}
    written = moment_of(review.get("reviewDate")) or moment_of(review.get("createdDate"))
    words = {name: line[f"external_{name}"] or line[f"wix_{name}"] for name in (TITLE, BODY)}
    return {**line, **words, "date": written.isoformat() if written else None}


def _line_of(record: Record, sent: Mapping[str, Any]) -> dict[str, Any]:
    """What ratings and reviews have in common; ``sent``: the record as Wix sent it."""
    ((attribute, value),) = record.values.items()
    entity = record.entity
    return {
        "id": record.remote_id,
        "namespace": entity.namespace if entity else "",
        "group": entity.group if entity else "",
        "entity_id": entity.entity_id if entity else "",
        "attribute": attribute,
        "value": int(value),
        "contact_id": record.person.contact_id,
        "revision": record.revision,
        "created": sent.get("createdDate"),
        "updated": sent.get("updatedDate"),
    }


def query_for(group: str | None, entity: str | None) -> dict[str, Any]:
    """Query Ratings filters; ``namespace`` is not among the documented ones and is compared in our
    own code.
    """
    where = {
        name: value for name, value in (("group", group), ("entityId", entity)) if value is not None
    }
    return {"filter": where, "sort": [{"fieldName": "createdDate", "order": "ASC"}]}


@dataclass(frozen=True, slots=True)
class Writer:
    """Lines in one of the formats."""

    form: Format
    columns: Sequence[str]

    def head(self) -> str:
        return csv_line(self.columns) if self.form == "csv" else ""

    def line(self, line: Line) -> str:
        if self.form == "csv":
            return csv_line(line.get(name) for name in self.columns)
        found = {name: line.get(name) for name in self.columns}
        text = json.dumps(found, ensure_ascii=False, default=str)
        return _HIDDEN.sub(lambda hidden: f"\\u{ord(hidden[0]):04x}", text) + "\n"


def export_to_stream(out: TextIO, writer: Writer, page_of: PageOf) -> Iterator[int]:
    """Every line; yields the number of each page's lines as it goes."""
    out.write(writer.head())
    cursor: str | None = None
    while True:
        lines, cursor = page_of(cursor)
        out.write("".join(map(writer.line, lines)))
        out.flush()
        yield len(lines)
        if cursor is None:
            return


def export_to_file(path: Path, writer: Writer, page_of: PageOf, *, what: str) -> Iterator[int]:
    """As to a stream, into ``path.part`` with a note of the cursor; the file gets its name when it
    is whole.

    ``what`` names the export: a note of another one is refused. Yields what an earlier run had
    written, first. Raises Misconfigured.
    """
    part, note = path.with_name(path.name + ".part"), path.with_name(path.name + ".cursor")
    if path.exists():
        raise Misconfigured(f"{path} exists; remove it or choose another --out")
    at = _noted(note, part, what)
    with part.open("r+" if at.cursor is not None else "w", encoding="utf-8", newline="") as out:
        if at.cursor is not None:
            out.seek(at.size)
            out.truncate()
            yield at.lines
        else:
            out.write(writer.head())
        cursor, count = at.cursor, at.lines
        while True:
            lines, cursor = page_of(cursor)
            out.write("".join(map(writer.line, lines)))
            out.flush()
            os.fsync(out.fileno())
            count += len(lines)
            yield len(lines)
            if cursor is None:
                break
            _keep(
                note, {"what": what, "cursor": cursor, "size": part.stat().st_size, "lines": count}
            )
    part.replace(path)
    note.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Noted:
    cursor: str | None = None
    size: int = 0
    lines: int = 0


def _noted(note: Path, part: Path, what: str) -> _Noted:
    if not note.is_file() or not part.is_file():
        return _Noted()
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        noted = _Noted(str(found["cursor"]), int(found["size"]), int(found["lines"]))
        begun = str(found["what"])
    except (ValueError, KeyError, TypeError):
        return _Noted()
    if begun != what:
        raise Misconfigured(
            f"{part} is the begun export of {begun}; remove it and {note.name}, or choose another"
            " --out"
        )
    return noted


def _keep(note: Path, found: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    fresh = note.with_name(note.name + ".new")
    fresh.write_text(json.dumps(found), encoding="utf-8")
    fresh.replace(note)


def is_stale_cursor(error: Permanent) -> bool:
    """Whether the remote did not take a cursor that an earlier run kept."""
    return error.facts.operation in QUERIES and error.facts.status in (400, 404, 410, 428)
