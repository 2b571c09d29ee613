"""Files of ratings for programs: sent, looked at, imported by workers, and their rejected rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from flask import g
from pydantic import Field

from sync_console.api import answers
from sync_console.api.asked import After, AfterNumber, Because, Nothing, Word
from sync_console.api.endpoints import Named, behind, get, post, upload
from sync_console.api.sites import SITE
from sync_console.api.theirs import known_site
from sync_console.web.numbers import MAX_NUMBER
from sync_console.web.parts import parts
from sync_console.web.programs import NotAsked
from sync_worker.core.values import Side
from sync_worker.services.access.who import Right
from sync_worker.services.imports.choosing import Choice
from sync_worker.services.imports.imports import ImportFile, ShownImport

IMPORTS = f"{SITE}/imports"
IMPORT = f"{IMPORTS}/<int(max=999999999999):import_id>"
KINDS = ("text/csv", "application/x-ndjson")
Words = Annotated[list[Word], Field(max_length=50)]


class SentFile(Named):
    """How the file is read: ``preset``, and over it columns and the scale, as the command has them.

    ``columns``: each ``PART=COLUMN``; ``scale``: ``MIN:MAX:STEP``; ``published``: states that
    count.
    """

    preset: Word | None = None
    columns: Words = Field(default_factory=list)
    scale: Word | None = None
    mapping: Literal["proportional", "span"] | None = None
    entity_of: Side | None = None
    published: Words = Field(default_factory=list)


class WhichRows(Nothing):
    """``what``: rows of which that became, such as ``rejected``; all without it."""

    what: Word | None = None
    after: After = 0


class SayYes(Because):
    """``count``: as ``to_type`` of the import says."""

    count: Annotated[int, Field(ge=0, le=MAX_NUMBER)]


@get(IMPORTS, Right.LOOK, AfterNumber)
def site_imports(asked: AfterNumber, site_id: int) -> answers.ImportFiles:
    """Files that were sent for the site, newest first."""
    known_site(site_id)
    page = parts().imports.of_site(g.who, site_id, asked.after or None)
    return answers.ImportFiles(page.files, **behind(page.before))


@upload(IMPORTS, Right.DRY_RUN, SentFile, KINDS)
def site_imports_send(asked: SentFile, file: Path, site_id: int) -> ImportFile:
    """Send a file: CSV, or JSON with an object on each line; its rows are checked at once.

    Nothing is imported before a look and a yes.
    """
    known_site(site_id)
    return parts().imports.send(g.who, site_id, file, choice_of(asked))


@get(IMPORT, Right.LOOK)
def site_import(_: object, site_id: int, import_id: int) -> ShownImport:
    """One file: how far it is, what became or would become of its rows, and what may be done."""
    known_site(site_id)
    return parts().imports.one(g.who, site_id, import_id)


@get(f"{IMPORT}/rows", Right.SEE_ADDRESSES, WhichRows)
def site_import_rows(asked: WhichRows, site_id: int, import_id: int) -> answers.ImportRows:
    """Its rows, each with what became or would become of it, and why."""
    known_site(site_id)
    page = parts().imports.rows(g.who, site_id, import_id, asked.what, asked.after)
    return answers.ImportRows(page.rows, **behind(page.after))


@get(f"{IMPORT}/rejected", Right.SEE_ADDRESSES, AfterNumber)
def site_import_rejected(asked: AfterNumber, site_id: int, import_id: int) -> answers.RejectedRows:
    """Its rejected rows in the form of the file, with line, column and reason."""
    known_site(site_id)
    part = parts().imports.rejected(g.who, site_id, import_id, asked.after)
    return answers.RejectedRows(part.name, part.text, **behind(part.after))


@post(f"{IMPORT}/look", Right.DRY_RUN)
def site_import_look(_: object, site_id: int, import_id: int) -> answers.Sentence:
    """A worker says what would become of each row; nothing is written."""
    known_site(site_id)
    return answers.Sentence(parts().imports.look(g.who, site_id, import_id))


@post(f"{IMPORT}/run", Right.COMPARE, SayYes)
def site_import_run(asked: SayYes, site_id: int, import_id: int) -> answers.Sentence:
    """The workers import the file, or go on with it.

    ``count`` has to be what ``to_type`` of the import says: else 409.
    """
    known_site(site_id)
    why = asked.why.strip()
    return answers.Sentence(parts().imports.run(g.who, site_id, import_id, asked.count, why))


@post(f"{IMPORT}/stop", Right.DRY_RUN, Because)
def site_import_stop(asked: Because, site_id: int, import_id: int) -> answers.Sentence:
    """No further rows are begun; what was imported stays, and it can go on."""
    known_site(site_id)
    return answers.Sentence(parts().imports.stop(g.who, site_id, import_id, asked.why.strip()))


@post(f"{IMPORT}/remove", Right.DRY_RUN)
def site_import_remove(_: object, site_id: int, import_id: int) -> answers.Sentence:
    """Forget the file and its rows; what was imported stays."""
    known_site(site_id)
    return answers.Sentence(parts().imports.remove(g.who, site_id, import_id))


def choice_of(asked: SentFile) -> Choice:
    """Raises NotAsked."""
    columns: dict[str, str] = {}
    for pair in asked.columns:
        name, equals, column = pair.partition("=")
        if not equals or not name.strip() or not column.strip() or name.strip() in columns:
            raise NotAsked({"columns": f"{pair!r} is not PART=COLUMN, each part once"})
        columns[name.strip()] = column.strip()
    scale: tuple[str, str, str] | None = None
    if asked.scale is not None:
        ends = asked.scale.split(":")
        if len(ends) != 3:
            raise NotAsked({"scale": "MIN:MAX:STEP, such as 1:5:1"})
        scale = (ends[0], ends[1], ends[2])
    return Choice(
        asked.preset, columns, scale, asked.mapping, asked.entity_of, tuple(asked.published)
    )
