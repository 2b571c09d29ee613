"""References of a manifest replaced by what they name: a shop's settings, the environment.

``{setting: name}`` is a setting that the manifest declares under ``settings``; ``{env: NAME}`` and
``{file: PATH}`` name a value without a declaration. Pure but for the files that they name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr, ValidationError

from sync_worker.core.nearest import nearest
from sync_worker.files import references
from sync_worker.manifest.schema.base import Plain
from sync_worker.manifest.schema.settings import SettingSpec
from sync_worker.manifest.source.values import Values, fit

Place = tuple[str, ...]

# A key and the one that holds the value before it.
PREVIOUS = {"secret": "previous_secret", "key": "previous_key"}
SENT_SECTIONS = frozenset({"base_url", "auth"})  # what they name goes out with each call
PLAIN_PLACES = frozenset({"base_url", "conn", "token_url"})  # a reference there is no secret
UNRESOLVED = frozenset({"examples", "settings"})  # sections that are data, not references
KINDS = frozenset({"env", "file", "setting"})
MAX_NUMBER = 2**63 - 1


class BadReference(Exception):
    """A reference names nothing, or what it must not; ``place``: the keys that lead to it."""

    def __init__(self, place: Place, words: str) -> None:
        super().__init__(words)
        self.place = place


class Placeholders(dict[str, str]):
    """An environment that has an answer for every name.

    So a manifest can be read before it is set up. ``missing``: the names that it made up.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.missing: list[str] = []

    def get(self, name: str, default: Any = None) -> Any:
        if self.keys() & {name, f"{name}_FILE"} or name.endswith("_FILE"):
            return super().get(name, default)
        if name not in self.missing:
            self.missing.append(name)
        return f"https://{name.lower().replace('_', '-')}.not-set.example"

    def __getitem__(self, name: str) -> str:
        return str(self.get(name))


class EnvironmentValues:
    """Implements Values for one shop without an account, whose values are in the environment."""

    def __init__(self, manifest_id: str, environ: Mapping[str, str]) -> None:
        self._manifest_id, self._environ = manifest_id, environ

    def of(self, spec: SettingSpec, *, is_sent: bool) -> str | None:
        name = spec.name_in_environment(self._manifest_id)
        text = self.named({"env": name}, is_optional=spec.is_optional, is_sent=is_sent)
        if text is None:
            return None
        if isinstance(self._environ, Placeholders) and name in self._environ.missing:
            return spec.stand_in
        return fit(spec, name, text)

    def before(self, spec: SettingSpec, *, is_sent: bool) -> str | None:
        name = f"{spec.name_in_environment(self._manifest_id)}_OLD"
        return self.named({"env": name}, is_optional=True, is_sent=is_sent)

    def named(
        self, reference: Mapping[str, Any], *, is_optional: bool, is_sent: bool
    ) -> str | None:
        return references.looked_up(
            reference, self._environ, is_optional=is_optional, is_sent=is_sent
        )


class Shared:
    """A part of a document that stands for itself: of a manifest that is read already."""

    def __init__(self, value: Any) -> None:
        self.value = value


def resolved(document: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """A manifest's document with its references replaced. Raises BadReference."""
    values = EnvironmentValues(str(document.get("id", "")), environ)
    return Resolver(_specs_in(document), values).section(document, ())


def is_reference(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in KINDS


def declared_settings(document: Mapping[str, Any]) -> list[str]:
    """Names of the settings that a document declares itself, as far as they can be read."""
    listed = document.get("settings")
    rows = listed if isinstance(listed, list) else []
    return [row["name"] for row in rows if isinstance(row, Mapping) and "title" in row]


def settings_named(value: Any) -> set[str]:
    """Names of the settings that references anywhere in a document use."""
    if is_reference(value):
        return {str(value["setting"])} if "setting" in value else set()
    parts: Iterator[Any] = iter(())
    if isinstance(value, Mapping):
        parts = (part for key, part in value.items() if key not in UNRESOLVED)
    elif isinstance(value, list):
        parts = iter(value)
    return set().union(*(settings_named(part) for part in parts))


def merged_settings(inherited: Any, own: Any) -> Any:
    """The settings of a manifest that extends another: by name, own keys over the inherited."""
    if not _are_rows(inherited) or not _are_rows(own):
        return own
    rows = {row["name"]: dict(row) for row in inherited}
    for row in own:
        rows[row["name"]] = {**rows.get(row["name"], {}), **row}
    return list(rows.values())


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, Mapping) and isinstance(row.get("name"), str) for row in value
    )


class Resolver:
    """The settings that a document declares, with the values that answer its references."""

    def __init__(self, specs: Mapping[str, SettingSpec], values: Values) -> None:
        self._specs, self._values = specs, values

    def section(self, part: Mapping[Any, Any], place: Place) -> dict[str, Any]:
        """A mapping with what it refers to; previous secrets of those that rotate are added."""
        for key in part:
            if not isinstance(key, str):
                raise BadReference(place, f"the key {key!r} is not a text; put it in quotes")
        values = {key: self._value(value, (*place, key)) for key, value in part.items()}
        for key, before in PREVIOUS.items():
            if is_reference(part.get(key)) and before not in part:
                old = self._value_before(part[key], (*place, key))
                values |= {before: old} if old is not None else {}
        return values

    def _value(self, value: Any, place: Place) -> Any:
        if isinstance(value, Shared):
            return value.value
        is_literal = place[0] in UNRESOLVED
        if is_reference(value) and not is_literal:
            return self._named(value, place)
        if isinstance(value, Mapping):
            return self.section(value, place)
        if isinstance(value, list):
            return [self._value(item, (*place, str(number))) for number, item in enumerate(value)]
        if isinstance(value, int | float) and not is_literal and not abs(value) <= MAX_NUMBER:
            raise BadReference(place, f"no number here is above {MAX_NUMBER:,}")
        return value

    def _named(self, reference: Mapping[str, Any], place: Place) -> Any:
        if "setting" in reference:
            return self._setting(self._spec(reference, place), place)
        is_optional = place[-1] in PREVIOUS.values()
        with _at(place):
            text = self._values.named(reference, is_optional=is_optional, is_sent=_is_sent(place))
        if text is None:
            return None
        return text if PLAIN_PLACES & {place[0], place[-1]} else SecretStr(text)

    def _spec(self, reference: Mapping[str, Any], place: Place) -> SettingSpec:
        name = reference["setting"]
        spec = self._specs.get(name) if isinstance(name, str) else None
        if spec is not None:
            return spec
        known = sorted(self._specs)
        meant = nearest(str(name), known)
        hint = f"; did you mean {meant!r}?" if meant else ""
        declared = f"known are {', '.join(known)}" if known else "none is declared"
        raise BadReference(
            place, f"no setting {name!r} is declared under settings: {declared}{hint}"
        )

    def _setting(self, spec: SettingSpec, place: Place) -> Any:
        """The value of a setting as its kind has it; ``None``: it is optional and not given."""
        with _at(place):
            text = self._values.of(spec, is_sent=_is_sent(place))
        return _in_place(spec, spec.default_text if text is None else text)

    def _value_before(self, reference: Mapping[str, Any], place: Place) -> SecretStr | None:
        """The value that a secret which rotates had before, where it is still given."""
        if "setting" not in reference:
            return None
        spec = self._spec(reference, place)
        if not spec.rotates:
            return None
        with _at(place):
            text = self._values.before(spec, is_sent=_is_sent(place))
        return SecretStr(text) if text is not None else None


@contextmanager
def _at(place: Place) -> Iterator[None]:
    """What is wrong with a reference is said with its place."""
    try:
        yield
    except references.BadReference as bad:
        raise BadReference(place, str(bad)) from None


def _is_sent(place: Place) -> bool:
    return place[0] in SENT_SECTIONS


def _in_place(spec: SettingSpec, text: str | None) -> Any:
    if text is None:
        return None
    value = spec.value_of(text)
    return Plain(value) if isinstance(value, str) else value


def _specs_in(document: Mapping[str, Any]) -> dict[str, SettingSpec]:
    """The declared settings by name; what is wrong with a declaration, the schema says."""
    listed = document.get("settings", [])
    if not isinstance(listed, list):
        return {}
    return {spec.name: spec for spec in filter(None, map(_spec_of, listed))}


def _spec_of(row: Any) -> SettingSpec | None:
    try:
        return SettingSpec.model_validate(row)
    except ValidationError:
        return None
