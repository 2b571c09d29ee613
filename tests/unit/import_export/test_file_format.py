"""A preset of one's own whose parts have the wrong form is refused with the part's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.import_export.file_format import format_of, load_format

WRONG = {
    "columns: x": "columns: is a text, and has to be a mapping",
    "columns: [a, b]": "columns: is a list of 2, and has to be a mapping",
    "values: 5": "values: is a whole number, and has to be a mapping",
    "scale: x": "scale: is a text, and has to be a mapping",
    "scale:": "scale: is null, and has to be a mapping",
}


@pytest.mark.parametrize("text", WRONG)
def test_part_of_a_preset_that_is_no_mapping_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"version: 1\n{text}\n")
    with pytest.raises(Misconfigured) as refused:
        format_of(load_format(str(path)), {"entity": "a"}, mapping="proportional")
    assert f"{path}: {WRONG[text]}" in str(refused.value)
    assert "see docs/setup.md" in str(refused.value)
