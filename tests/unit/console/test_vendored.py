"""Files of others that we carry: exactly those that were released."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# https://www.npmjs.com/package/htmx.org 2.0.11, https://www.npmjs.com/package/axe-core 4.14.1
VENDORED = {
    "sync_console/static/htmx.min.js": (
        "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
    ),
    "tests/console/axe/axe.min.js": (
        "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
    ),
}


@pytest.mark.parametrize("name", VENDORED)
def test_vendored_file_is_the_released_one(name: str) -> None:
    assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == VENDORED[name]
