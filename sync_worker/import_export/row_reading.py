"""Rows of a file as ratings of one site, or what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from sync_worker.core.errors import Misconfigured
from sync_worker.core.scale import FieldMap, OffScale, Scale
from sync_worker.core.values import EntityRef, Side, Site
from sync_worker.core.values.pictures import pictures_in
from sync_worker.core.values.plain_text import plain_text
from sync_worker.core.values.texts import BODY, TITLE
from sync_worker.core.words import MAX_ENTITY_ID, MAX_GROUP, MAX_NAME, MAX_NAMESPACE, shown
from sync_worker.files.cells import (
    BadCell,
    email_of,
    id_within,
    number_of,
    refuse_formula,
    text_within,
)
from sync_worker.files.dates import moment_in
from sync_worker.files.rows import MAX_CELL, Row
from sync_worker.import_export.file_format import FileFormat
from sync_worker.import_export.importing import RatingRow
from sync_worker.manifest.schema.record import ScaleSection

MAX_STATE_SHOWN = 40
# A comma may be part of an address: only what comes before the next one parts them.
# From where such signs begin on, and as a whole: a cell may hold a million of them.
BETWEEN_ADDRESSES = re.compile(r"(?<![\s,;])[\s,;]++(?=https?://)")


class BadRow(Exception):
    """A row cannot be imported as it is."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


class NotForUs(Exception):
    """A row that is good but says nothing to import: not published, or without a rating."""


@dataclass(frozen=True, slots=True)
class RowReading:
    """Reads rows of one file for one site. Made by ``reading_of``.

    ``places``: which cell each column is, ``None`` for JSONL; ``fields``: how each attribute's
    values convert; ``same_id``: namespace and group of Wix ids that the file does not name.
    """

    format: FileFormat
    places: Mapping[str, int] | None
    fields: Mapping[str, FieldMap]
    same_id: tuple[str, str]

    @property
    def lacks_state(self) -> bool:
        """Whether the format tells what is published by a column that the file has not."""
        column = self.format.columns.state
        return column is not None and bool(self.format.published) and not self._has(column)

    @property
    def has_words(self) -> bool:
        """Whether the file has a column for what people wrote."""
        columns = self.format.columns
        return any(self._has(column) for column in (columns.title, columns.body))

    def rating_of(self, row: Row) -> RatingRow:
        """Raises BadRow, NotForUs."""
        if row.problem:
            raise BadRow("", row.problem)
        self._refuse_unpublished(row)
        values = self._values(row)
        email = self._email(row)
        return RatingRow(
            self._entity(row),
            self.format.entity_of,
            email,
            self._name(row),
            values,
            self._words(row),
            self._written_at(row),
            self._pictures(row),
        )

    def _words(self, row: Row) -> dict[str, str]:
        """What the person wrote; a formula of a spreadsheet may well be somebody's words."""
        columns = self.format.columns
        words = {}
        for name, column in ((TITLE, columns.title), (BODY, columns.body)):
            text = self._cell(row, column)
            if self.format.html_words:
                text = plain_text(text)
            if text:
                words[name] = shown(text)
        return words

    def _written_at(self, row: Row) -> datetime | None:
        column = self.format.columns.date
        text = self._cell(row, column)
        with _blamed_on(column):
            return moment_in(text, self.format.date_format)

    def _pictures(self, row: Row) -> tuple[str, ...]:
        """Addresses in one cell, with commas or spaces between them; what is none is left out."""
        text = self._cell(row, self.format.columns.pictures)
        return pictures_in([part.strip(" ,;") for part in BETWEEN_ADDRESSES.split(text)])

    def _name(self, row: Row) -> str | None:
        column = self.format.columns.name
        name = self._cell(row, column)
        with _blamed_on(column):
            refuse_formula(name)
        # For people to read, so a long one is cut.
        return shown(name)[:MAX_NAME] or None

    def _refuse_unpublished(self, row: Row) -> None:
        column = self.format.columns.state
        # Without such a column, or with an empty list of states, every row counts.
        if not self.format.published or not self._has(column):
            return
        state = self._cell(row, column).casefold()
        if state not in {word.casefold() for word in self.format.published}:
            raise NotForUs(f"not published ({state[:MAX_STATE_SHOWN] or 'no state'})")

    def _values(self, row: Row) -> dict[str, Decimal]:
        texts = {name: self._cell(row, column) for name, column in self.format.values.items()}
        rated = {name: text for name, text in texts.items() if text not in self.format.unrated}
        if not rated:
            raise NotForUs("no rating")
        return {name: self._value(name, text) for name, text in rated.items()}

    def _value(self, name: str, text: str) -> Decimal:
        column = self.format.values[name]
        if not text:
            raise BadRow(column, "is empty")
        with _blamed_on(column):
            number = number_of(text)
        try:
            return self.fields[name].to_wix(number)
        except OffScale:
            raise BadRow(column, f"{text} is not on the scale {self.format.scale.scale}") from None

    def email_in(self, row: Row) -> str | None:
        """The address in a row that is perhaps no good one; ``None`` if it shows none."""
        try:
            return self._email(row)
        except (BadRow, IndexError):
            return None

    def _email(self, row: Row) -> str:
        column = self.format.columns.email
        text = self._cell(row, column)
        if not text:
            raise BadRow(column, "is empty")
        with _blamed_on(column):
            return email_of(text)

    def _entity(self, row: Row) -> EntityRef:
        columns = self.format.columns
        entity_id = self._id(row, columns.entity, MAX_ENTITY_ID)
        if not entity_id:
            raise BadRow(columns.entity, "is empty")
        group = self._id(row, columns.entity_group, MAX_GROUP)
        if self.format.entity_of is Side.EXTERNAL:
            return EntityRef(entity_id, group)
        namespace = self._id(row, columns.entity_namespace, MAX_NAMESPACE)
        return EntityRef(entity_id, group or self.same_id[1], namespace or self.same_id[0])

    def _id(self, row: Row, column: str | None, most: int) -> str:
        text = self._cell(row, column)
        with _blamed_on(column):
            return id_within(text, most)

    def _has(self, column: str | None) -> bool:
        return column is not None and (self.places is None or column in self.places)

    def _cell(self, row: Row, column: str | None) -> str:
        """What stands in a column, or at a path of a JSON object; empty if there is no such one."""
        if column is None:
            return ""
        if self.places is None:
            text = _found(column, row.document)
        elif column in self.places:
            text = row.cells[self.places[column]]
        else:
            return ""
        with _blamed_on(column):
            return text_within(text, MAX_CELL)


@contextmanager
def _blamed_on(column: str | None) -> Iterator[None]:
    """A cell that is refused is a row that is, because of this column."""
    try:
        yield
    except BadCell as bad:
        raise BadRow(column or "", str(bad)) from None


def _found(column: str, document: Any) -> str:
    """What is at a path of a JSON object, as text. Raises Misconfigured, BadRow."""
    try:
        path = jmespath.compile(column)
    except (JMESPathError, RecursionError) as error:
        raise Misconfigured(
            f"--column: {column[:200]!r} is no path: {str(error).splitlines()[0]}"
        ) from None
    try:
        found = path.search(document)
    # Its functions let errors of Python through.
    except (JMESPathError, ArithmeticError, TypeError, AttributeError) as error:
        raise BadRow(column, f"cannot be read: {type(error).__name__}") from None
    if isinstance(found, dict | list):
        raise BadRow(column, "is a list or an object, not one value; name the path to the value")
    return "" if found is None else str(found)


def reading_of(form: FileFormat, places: Mapping[str, int] | None, site: Site) -> RowReading:
    """For the fields of a site. ``places``: of the columns in a CSV file.

    Raises Misconfigured for an attribute that is not mapped, or scales that do not fit.
    """
    mapped = {field.attribute: field.wix for field in site.fields}
    fields = {}
    for name in form.values:
        if name not in mapped:
            raise Misconfigured(
                f"the attribute {name!r} is not mapped; mapped are: {', '.join(mapped)}; see `map"
                " fields`"
            )
        fields[name] = _field(name, mapped[name], form.scale)
    same_id = (site.policy.same_id_namespace, site.policy.same_id_group)
    return RowReading(form, places, fields, same_id)


def _field(name: str, wix: Scale, scale: ScaleSection) -> FieldMap:
    field = FieldMap(name, "file", wix, scale.scale, scale.mapping)
    if violations := field.violations():
        raise Misconfigured(
            f"the file's scale {field.external} does not convert to Wix's {wix}: {violations[0]}"
        )
    return field
