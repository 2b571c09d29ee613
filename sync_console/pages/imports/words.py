"""What the pages of imports say of a file and its rows."""

from __future__ import annotations

from collections.abc import Mapping

from sync_console.web.words import marked as _
from sync_worker.services.counted import write_words
from sync_worker.services.imports.imports import ImportFile
from sync_worker.services.imports.imports import standing_of as words_of

# By phase and state.
COLOURS = {
    ("look", "working"): "warn",
    ("look", "failed"): "bad",
    ("run", "working"): "warn",
    ("run", "ready"): "good",
    ("run", "stopped"): "warn",
    ("run", "failed"): "bad",
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
    return words_of(file), COLOURS.get((str(file.phase), str(file.state)), "plain")


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


def following_writes(file: ImportFile) -> list[tuple[int, str]]:
    """What a look foresees beside the creates on Wix: how many, and words."""
    others = sorted(write for write in file.writes if write != "create on wix")
    return [(file.writes[write], write_words(write)) for write in others]
