"""Rows of a file as the ledger keeps them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sync_worker.core import exact_json
from sync_worker.files.rows import Row
from sync_worker.import_export.file_format import FileFormat
from sync_worker.import_export.rating_files import Shape
from sync_worker.ledger.imports.values import ImportPlan, StoredRow


def content_of(row: Row, shape: Shape) -> str:
    """JSON of its cells, or of its line."""
    return exact_json.dumps(row.text if shape.is_jsonl else list(row.cells))


def row_of(stored: StoredRow, shape: Shape) -> Row:
    """The row as it stood in the file; without content it shows nothing."""
    kept = exact_json.loads_own(stored.content) if stored.content else ""
    if not shape.is_jsonl:
        return Row(stored.line, kept or [], problem=stored.problem)
    document = None
    # What is no JSON has its problem.
    with suppress(ValueError, RecursionError):
        document = exact_json.loads(kept)
    return Row(stored.line, document=document, text=kept, problem=stored.problem)


def plan_of(form: FileFormat, places: Mapping[str, int] | None, shape: Shape) -> ImportPlan:
    """How a file is read and written again, as the ledger keeps it."""
    read = {"format": form.model_dump(mode="json"), "places": places}
    written = {
        "is_jsonl": shape.is_jsonl,
        "header": list(shape.header),
        "delimiter": shape.delimiter,
        "has_mark": shape.has_mark,
    }
    return ImportPlan(read, written)


def format_of_plan(plan: ImportPlan) -> tuple[FileFormat, Mapping[str, int] | None]:
    """The format, and which cell each column is."""
    return FileFormat.model_validate(plan.form["format"]), plan.form["places"]


def shape_of_plan(plan: ImportPlan) -> Shape:
    kept: Mapping[str, Any] = plan.shape
    header = tuple(kept["header"])
    return Shape(kept["is_jsonl"], header, kept["delimiter"], kept["has_mark"])
