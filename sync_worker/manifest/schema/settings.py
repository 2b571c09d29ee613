"""What a shop gives to be connected: declared once, for questions, checks and forms."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from sync_worker.core.pasted import is_placeholder
from sync_worker.manifest import expressions
from sync_worker.manifest.schema.base import Strict

MAX_VALUE = 8192  # characters that a shop may give for one setting
SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

Kind = Literal["url", "text", "secret", "integer", "choice", "switch"]


class SettingSpec(Strict):
    """One thing that a shop gives, such as its address or a token."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    title: str = Field(min_length=1, max_length=100)
    """What a form calls it."""
    help: str = Field(default="", max_length=1000)
    """Where the value is found in the platform's admin pages."""
    kind: Kind = "text"
    required: bool = True
    pattern: str | None = None
    """A regular expression for the whole value."""
    example: str = ""
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()
    """What a ``choice`` may be."""
    rotates: bool = False
    """Of a secret: the value before it stays valid until a date (from the environment: as long as
    ``NAME_OLD`` is set).
    """
    env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    """Its name in the environment, for one shop without an account; by default the manifest's id
    and the name, in capitals.
    """

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> SettingSpec:
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError("choices are given for kind: choice, and for no other kind")
        if self.rotates and self.kind != "secret":
            raise ValueError("only a secret rotates")
        if self.kind == "secret" and (self.default is not None or self.example):
            raise ValueError("a secret has no default and no example: they would be used")
        if problem := expressions.problem_of(self.pattern or ""):
            raise ValueError(f"pattern: {problem}")
        for key in ("default", "example"):
            value = getattr(self, key)
            if value in (None, ""):
                continue
            if problem := self.problem_of(_as_text(value)):
                raise ValueError(f"{key}: {problem}")
        return self

    def name_in_environment(self, manifest_id: str) -> str:
        """Where one shop without an account has it."""
        return self.env or f"{manifest_id}_{self.name}".upper().replace("-", "_")

    def problem_of(self, value: str) -> str:
        """What is wrong with a value, in words without the value; empty if nothing is."""
        # A secret may be a key of several lines.
        line = value.replace("\n", "") if self.kind == "secret" else value
        if not line or len(value) > MAX_VALUE or not line.isprintable():
            return f"is one line of 1 to {MAX_VALUE} characters"
        if is_placeholder(value):
            return "is still a placeholder"
        if problem := self._problem_of_kind(value):
            return problem
        if self.pattern is not None and not expressions.fits(self.pattern, value):
            shown = f", such as {self.example}" if self.example else ""
            return f"does not have its form, {self.pattern}{shown}"
        return ""

    def _problem_of_kind(self, value: str) -> str:
        match self.kind:
            case "url":
                return "" if _is_address(value) else "is an address such as https://shop.example"
            case "integer":
                is_number = re.fullmatch(r"-?[0-9]{1,18}", value) is not None
                return "" if is_number else "is a whole number"
            case "choice":
                return "" if value in self.choices else f"is one of {', '.join(self.choices)}"
            case "switch":
                return "" if value.lower() in SWITCH else "is yes or no"
            case _:
                return ""

    def value_of(self, text: str) -> Any:
        """A value without a problem, as a manifest uses it."""
        match self.kind:
            case "integer":
                return int(text)
            case "switch":
                return SWITCH[text.lower()]
            case _:
                return text

    @property
    def is_optional(self) -> bool:
        """Whether a shop may leave it out."""
        return not self.required or self.default is not None

    @property
    def default_text(self) -> str | None:
        """The default as a shop would give it."""
        return None if self.default is None else _as_text(self.default)

    @property
    def stand_in(self) -> str:
        """A value for reading a manifest before it is set up."""
        host = f"https://{self.name.replace('_', '-')}.not-set.example"
        by_kind = {"integer": "1", "switch": "no", "choice": next(iter(self.choices), "")}
        return self.example or by_kind.get(self.kind, host)


def _as_text(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
