"""What the pages of imports say of a file and its rows."""

from __future__ import annotations

from collections.abc import Mapping

from sync_console.web.words import marked as _
from sync_worker.services.imports.imports import ImportFile

# By phase and state: words and colour.
STANDINGS = {
    ("check", "ready"): (_("sent and checked"), "plain"),
    ("look", "working"): (_("a worker looks at each row"), "warn"),
    ("look", "ready"): (_("looked at, nothing imported yet"), "plain"),
    ("look", "stopped"): (_("the look was stopped"), "plain"),
    ("look", "failed"): (_("the look could not go on"), "bad"),
    ("run", "working"): (_("is being imported"), "warn"),
    ("run", "ready"): (_("imported"), "good"),
    ("run", "stopped"): (_("stopped, can go on"), "warn"),
    ("run", "failed"): (_("could not go on"), "bad"),
}
# What became of rows once they were imported, and what a look foresees.
ROWS = {
    "created": (_("created on Wix"), _("would be created on Wix")),
    "there": (_("there already, left as they are"), _("there already, would be left as they are")),
    "differs": (_("of these with another value on Wix"), _("of these with another value on Wix")),
    "deleted_since": (_("deleted since, left so"), _("deleted since, would be left so")),
    "held": (_("held for a person, left so"), _("held for a person, would be left so")),
    "skipped": (_("not for us"), _("not for us")),
    "rejected": (_("rejected"), _("would be rejected")),
    "new_contacts": (
        _("people became contacts of the site"),
        _("people would become contacts of the site"),
    ),
    "new_entities": (_("products were mapped"), _("products would be mapped")),
}
# Of a single row.
ENDS = {
    "created": _("created"),
    "there": _("there already"),
    "deleted_since": _("deleted since"),
    "held": _("held"),
    "skipped": _("not for us"),
    "rejected": _("rejected"),
}


def standing_of(file: ImportFile) -> tuple[str, str]:
    """Its words, still to be translated, and its colour."""
    return STANDINGS.get((str(file.phase), str(file.state)), (str(file.state), "plain"))


def counted_rows(file: ImportFile) -> list[tuple[int, str]]:
    """What became, or would become, of rows: how many, and words still to be translated."""
    is_foreseen = file.phase == "look"
    return [
        (file.counts[name], foreseen if is_foreseen else done)
        for name, (done, foreseen) in ROWS.items()
        if file.counts.get(name)
    ]


def ends_of(file: ImportFile) -> Mapping[str, str]:
    """What is said of a single row, still to be translated: what became of it, or would."""
    if file.phase != "look":
        return ENDS
    return {name: ROWS[name][1] for name in ENDS}


def done_rows(file: ImportFile) -> int:
    """How many have come to their end."""
    return sum(file.counts.get(name, 0) for name in ENDS)
