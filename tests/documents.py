"""Documents of YAML, read once: the parser costs more than most tests that start from one."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from sync_worker.files.yaml_file import yaml_value


def document_of(text: str) -> Any:
    """What a text of YAML says, as a copy that a test may change."""
    return deepcopy(_read(text))


@cache
def _read(text: str) -> Any:
    return yaml_value(text)
