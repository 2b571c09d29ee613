"""What every section of a manifest is made of: strict models, compiled paths, secrets by
reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import jmespath
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SecretStr,
    WithJsonSchema,
)


class Strict(BaseModel):
    """Refuses keys that it does not know."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )


# Its parser takes long for thousands of steps, and nobody writes so many.
MAX_PATH = 4_000  # characters


class CompiledPath(str):
    """A JMESPath expression (https://jmespath.org), compiled once. Raises JMESPathError."""

    search: Callable[[Any], Any]  # what is at the path in a document

    def __new__(cls, text: str) -> CompiledPath:
        if len(text) > MAX_PATH:
            raise jmespath.exceptions.JMESPathError(f"it has more than {MAX_PATH:,} characters")
        path = super().__new__(cls, text)
        try:
            path.search = jmespath.compile(text).search
        except RecursionError:
            raise jmespath.exceptions.JMESPathError("it is nested too deeply") from None
        return path


def compiled(value: Any) -> CompiledPath:
    """A path, compiled once. Raises ValueError."""
    # Of a section that manifests share.
    if isinstance(value, CompiledPath):
        return value
    if not isinstance(value, str):
        raise ValueError("a path is a text")
    try:
        return CompiledPath(value)
    except jmespath.exceptions.JMESPathError as error:
        why = str(error).partition("\n")[0][:200]
        raise ValueError(f"{value[:200]!r} is no JMESPath: {why}") from None


Path = Annotated[
    Any,
    BeforeValidator(compiled),
    WithJsonSchema({"type": "string", "description": "A JMESPath expression"}),
]


# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
NOT_IN_HEADER_NAMES = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")


def header_name(value: str) -> str:
    """The name itself. Raises ValueError for what no request can have: it would never be found."""
    wrong = NOT_IN_HEADER_NAMES.search(value)
    if wrong is not None:
        what = "a blank" if wrong.group().isspace() else repr(wrong.group())
        raise ValueError(f"{value[:80]!r} is no name of a header: it has {what} in it")
    if not value:
        raise ValueError("'' is no name of a header: it is empty")
    return value


HeaderName = Annotated[str, AfterValidator(header_name)]


class Plain(str):
    """A text that came by reference, so it may stand where a secret is due."""


def _secret(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, Plain):
        return SecretStr(value)
    raise ValueError(
        "a secret comes by reference: {setting: name}, {env: NAME} or {file: PATH}, never written"
        " out"
    )


REFERENCE_SCHEMA = {
    "type": "object",
    "description": (
        "Where the value is kept: {setting: name} as declared under settings, {env: NAME} (also"
        " NAME_FILE) or {file: PATH}; never the value itself"
    ),
    "properties": {name: {"type": "string"} for name in ("setting", "env", "file")},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
Secret = Annotated[SecretStr, BeforeValidator(_secret), WithJsonSchema(REFERENCE_SCHEMA)]


def one_of(model: Strict, *names: str) -> None:
    """Exactly one of these keys says where a value comes from. Raises ValueError."""
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        raise ValueError(
            f"needs exactly one of {', '.join(names)}"
            + (f", not {', '.join(given)}" if given else "")
        )
