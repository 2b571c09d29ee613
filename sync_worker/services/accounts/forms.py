"""The form of an account, as its connector's manifest declares it. Never a secret's value. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_worker.core.values import Account
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.settings import MAX_VALUE, SettingSpec

__all__ = ["MAX_VALUE", "SWITCH", "Field", "changed_values", "fields_of", "schema_of"]

SWITCH = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a shop gives.

    ``value``: what stands in the form; of a secret always empty. ``is_given``: whether the account
    has one. ``default``: what counts where nothing is given.
    """

    name: str
    title: str
    help: str
    kind: str
    value: str
    default: str
    example: str
    choices: Sequence[str]
    is_required: bool
    is_given: bool

    @property
    def is_secret(self) -> bool:
        return self.kind == "secret"

    @property
    def must_be_typed(self) -> bool:
        """Whether the form cannot go without it."""
        return self.is_required and not (self.is_secret and self.is_given)


def fields_of(manifest: Manifest, account: Account | None) -> list[Field]:
    """``account``: the one that has been given; ``None``: none yet."""
    return [_field(spec, account) for spec in manifest.settings]


def _field(spec: SettingSpec, account: Account | None) -> Field:
    settings: Mapping[str, str] = {} if account is None else account.settings
    secrets = () if account is None else account.secret_names
    return Field(
        spec.name,
        spec.title,
        spec.help,
        spec.kind,
        settings.get(spec.name, ""),
        spec.default_text or "",
        spec.example,
        SWITCH if spec.kind == "switch" else spec.choices,
        not spec.is_optional,
        spec.name in settings or spec.name in secrets,
    )


def schema_of(fields: Sequence[Field]) -> dict[str, Any]:
    """The values of an account as a JSON Schema (2020-12); all are texts, as a shop types them."""
    return {
        "type": "object",
        "properties": {field.name: _schema(field) for field in fields},
        "required": [field.name for field in fields if field.must_be_typed],
        "additionalProperties": False,
    }


def _schema(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "title": field.title, "description": field.help}
    if field.kind == "url":
        schema["format"] = "uri"
    if field.is_secret:
        schema["writeOnly"] = True
    if field.choices:
        schema["enum"] = list(field.choices)
    if field.default:
        schema["default"] = field.default
    if field.example:
        schema["examples"] = [field.example]
    return schema


def changed_values(
    manifest: Manifest, account: Account, typed: Mapping[str, str]
) -> dict[str, str]:
    """What of a form differs from what the account has; an empty secret stays as it is."""
    secrets = {spec.name for spec in manifest.settings if spec.kind == "secret"}
    changed = {}
    for name, text in typed.items():
        is_kept = not text if name in secrets else text == account.settings.get(name, "")
        if not is_kept:
            changed[name] = text
    return changed
