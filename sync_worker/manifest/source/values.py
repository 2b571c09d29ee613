"""What an account gives for the settings of its connector's manifest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sync_worker.files import references
from sync_worker.files.references import BadReference
from sync_worker.manifest.schema.settings import SettingSpec


class Values(Protocol):
    """What references are answered from. Each may raise BadReference, without the value.

    ``is_sent``: the value goes into a header, a form or an address.
    """

    def of(self, spec: SettingSpec, *, is_sent: bool) -> str | None:
        """The value of a setting, fit for it; ``None``: it is optional and not given."""

    def before(self, spec: SettingSpec, *, is_sent: bool) -> str | None:
        """The value that a secret had before, while it is still valid."""

    def named(
        self, reference: Mapping[str, Any], *, is_optional: bool, is_sent: bool
    ) -> str | None:
        """What ``{env: NAME}`` or ``{file: PATH}`` names; ``None``: optional, and not there."""


@dataclass(frozen=True, slots=True)
class Given:
    """What an account gives, by the name of the setting; secrets are open here.

    ``before``: what its secrets were, where that is still valid.
    """

    values: Mapping[str, str] = field(repr=False)
    before: Mapping[str, str] = field(default_factory=dict, repr=False)


class AccountValues:
    """Implements Values for one account.

    The environment is another shop's: of a declared setting nothing is taken from there, and
    ``{env: NAME}`` finds the account's own value where a setting has that name.
    """

    def __init__(
        self,
        manifest_id: str,
        specs: Iterable[SettingSpec],
        given: Given,
        environ: Mapping[str, str],
    ) -> None:
        self._given, self._environ = given, environ
        self._by_name = {spec.name_in_environment(manifest_id): spec for spec in specs}

    def of(self, spec: SettingSpec, *, is_sent: bool) -> str | None:
        text = self._given.values.get(spec.name)
        if text:
            return fit(spec, spec.name, references.real(spec.name, text, is_sent))
        if spec.is_optional:
            return None
        raise BadReference(f"{spec.name} ({spec.title}) is not given")

    def before(self, spec: SettingSpec, *, is_sent: bool) -> str | None:
        text = self._given.before.get(spec.name)
        return references.real(spec.name, text, is_sent) if text else None

    def named(
        self, reference: Mapping[str, Any], *, is_optional: bool, is_sent: bool
    ) -> str | None:
        name = str(reference.get("env", ""))
        spec = self._by_name.get(name)
        if spec is not None:
            return self.of(spec, is_sent=is_sent)
        spec = self._by_name.get(name.removesuffix("_OLD"))
        if spec is not None and spec.rotates:
            return self.before(spec, is_sent=is_sent)
        return references.looked_up(
            reference, self._environ, is_optional=is_optional, is_sent=is_sent
        )


def fit(spec: SettingSpec, name: str, text: str) -> str:
    """A value that is one for its setting. Raises BadReference, by the name that people know."""
    if problem := spec.problem_of(text):
        raise BadReference(f"{name} ({spec.title}) {problem}")
    return text
