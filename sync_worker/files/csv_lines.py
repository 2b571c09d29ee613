"""Lines of CSV for people and spreadsheets: nothing in them runs, and nothing hides.

Everything that this program writes as CSV goes through here: exports, proposals, rejected rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from sync_worker.core.words import shown

# A spreadsheet takes a cell that begins with one of these for a formula; the wide forms, too.
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_SIGNS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_FORMULA_BLANKS = ("\t", "\r", "\n")

# Controls become their pictures (ESC is ␛): a terminal acts on them, and an editor hides them.
_PICTURES = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\r\n"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    **dict.fromkeys(range(0xD800, 0xE000), 0xFFFD),
}


def cell_text(value: object) -> str:
    """One cell; a text that a spreadsheet would run gets an apostrophe in front."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = shown(value).translate(_PICTURES)
    if text.startswith(_FORMULA_BLANKS) or text.lstrip()[:1] in FORMULA_SIGNS:
        return f"'{text}"
    return text


def csv_line(cells: Iterable[object], delimiter: str = ",") -> str:
    """A row with its line end."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow([cell_text(cell) for cell in cells])
    return buffer.getvalue()
