"""docker-compose.yml as Docker Compose reads it: merged, and with the variables of an environment
filled in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
# What stands in for one may be one itself: ``${NEW_NAME:-${OLDER_NAME:-16}}``.
VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:[-?])((?:\$\{[^}]*\}|[^}])*))?\})")


class MissingVariable(Exception):
    """A variable that the file asks for is not set; the message is the file's."""


def read_fleet(environ: Mapping[str, str]) -> dict[str, Any]:
    """The file's content. Raises MissingVariable."""
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    filled: dict[str, Any] = _filled(content, environ)
    return {name: part for name, part in filled.items() if not name.startswith("x-")}


def _filled(part: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {key: _filled(one, environ) for key, one in part.items()}
    if isinstance(part, list):
        return [_filled(one, environ) for one in part]
    return (
        VARIABLE.sub(lambda found: _value(found, environ), part) if isinstance(part, str) else part
    )


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    escaped, name, kind, text = found.groups()
    if escaped:
        return "$"
    if environ.get(name):
        return environ[name]
    if kind == ":?":
        raise MissingVariable(text)
    return VARIABLE.sub(lambda inner: _value(inner, environ), text or "")


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(fleet: Mapping[str, Any]) -> str:
    """The content as one plain YAML text."""
    return str(yaml.dump(dict(fleet), Dumper=_Plain))
