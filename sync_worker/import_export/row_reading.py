"""Rows of a file as ratings of one site, or what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import jmespath
from jmespath.exceptions import JMESPathError

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Misconfigured
from sync_worker.core.numbers import BadNumber, exact_number
from sync_worker.core.scale import FieldMap, OffScale, Scale
from sync_worker.core.values import EntityRef, Side, Site
from sync_worker.import_export.file_format import FileFormat
from sync_worker.import_export.importing import RatingRow
from sync_worker.import_export.rating_files import Row
from sync_worker.manifest.schema.record import ScaleSection


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

    ``fields``: how each attribute's values convert; ``same_id``: namespace and group of Wix ids
    that the file does not name.
    """

    format: FileFormat
    header: Sequence[str]
    fields: Mapping[str, FieldMap]
    same_id: tuple[str, str]

    def rating_of(self, row: Row) -> RatingRow:
        """Raises BadRow, NotForUs."""
        if row.problem:
            raise BadRow("", row.problem)
        self._refuse_unpublished(row)
        values = self._values(row)
        email = self._email(row)
        name = self._cell(row, self.format.columns.name) or None
        return RatingRow(self._entity(row), self.format.entity_of, email, name, values)

    def _refuse_unpublished(self, row: Row) -> None:
        column = self.format.columns.state
        # Without such a column, or with an empty list of states, every row counts.
        if not self.format.published or not self._has(column):
            return
        state = self._cell(row, column).lower()
        if state not in self.format.published:
            raise NotForUs(f"not published ({state or 'no state'})")

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
        try:
            return self.fields[name].to_wix(exact_number(text))
        except BadNumber as bad:
            raise BadRow(column, str(bad)) from None
        except OffScale:
            raise BadRow(column, f"{text} is not on the scale {self.format.scale.scale}") from None

    def _email(self, row: Row) -> str:
        column = self.format.columns.email
        email = self._cell(row, column)
        if not email:
            raise BadRow(column, "is empty")
        if email.count("@") != 1 or email.startswith("@") or email.endswith("@") or " " in email:
            raise BadRow(column, f"{email!r} is not an e-mail address")
        return normalise_email(email)

    def _entity(self, row: Row) -> EntityRef:
        columns = self.format.columns
        entity_id = self._cell(row, columns.entity)
        if not entity_id:
            raise BadRow(columns.entity, "is empty")
        group = self._cell(row, columns.entity_group)
        if self.format.entity_of is Side.EXTERNAL:
            return EntityRef(entity_id, group)
        namespace = self._cell(row, columns.entity_namespace)
        return EntityRef(entity_id, group or self.same_id[1], namespace or self.same_id[0])

    def _has(self, column: str | None) -> bool:
        return column is not None and (not self.header or column in self.header)

    def _cell(self, row: Row, column: str | None) -> str:
        """What stands in a column, or at a path of a JSON object; empty if there is no such one."""
        if column is None:
            return ""
        if self.header:
            if column not in self.header:
                return ""
            return row.cells[self.header.index(column)].strip()
        try:
            found = jmespath.search(column, row.document)
        except JMESPathError as error:
            raise Misconfigured(
                f"--column: {column!r} is no path: {str(error).splitlines()[0]}"
            ) from None
        return "" if found is None else str(found).strip()


def reading_of(form: FileFormat, header: Sequence[str], site: Site) -> RowReading:
    """For the fields of a site.

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
    return RowReading(form, header, fields, same_id)


def _field(name: str, wix: Scale, scale: ScaleSection) -> FieldMap:
    field = FieldMap(name, "file", wix, scale.scale, scale.mapping)
    if violations := field.violations():
        raise Misconfigured(
            f"the file's scale {field.external} does not convert to Wix's {wix}: {violations[0]}"
        )
    return field
