"""The manifest of each account of a connector: its own values in the connector's code."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from sync_worker.core.errors import Misconfigured
from sync_worker.files import references
from sync_worker.files.references import looked_up
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.call_trees import problem_of_trees
from sync_worker.manifest.source.complaints import complaint
from sync_worker.manifest.source.resolving import BadReference, Resolver
from sync_worker.manifest.source.sharing import shared_parts
from sync_worker.manifest.source.values import AccountValues, Given


class AccountManifests:
    """One connector, as code for its accounts.

    ``code``: the manifest of ``document`` with stand-ins for what a shop gives; ``environ`` answers
    what the document names and does not declare as a setting.
    """

    def __init__(
        self, document: Mapping[str, Any], code: Manifest, environ: Mapping[str, str]
    ) -> None:
        self.code, self._environ = code, environ
        self._specs = {spec.name: spec for spec in code.settings}
        self._shared = shared_parts(document, code)

    def of_environment(self) -> dict[str, str]:
        """What the environment gives for one shop without an account, as far as it can be read."""
        found: dict[str, str] = {}
        for spec in self._specs.values():
            reference = {"env": spec.name_in_environment(self.code.id)}
            with suppress(references.BadReference):
                found[spec.name] = looked_up(reference, self._environ, is_optional=True) or ""
        return {name: text for name, text in found.items() if text}

    def of(self, source: str, given: Given) -> Manifest:
        """The manifest of one account, whose deliveries come from ``source``.

        Raises Misconfigured for a value that is missing or does not fit, without the value.
        """
        connector = self.code.id
        values = AccountValues(connector, self._specs.values(), given, self._environ)
        try:
            resolved = Resolver(self._specs, values).section(self._shared, ())
            manifest = Manifest.model_validate(resolved).of_source(source)
        except BadReference as bad:
            raise _wrong(source, ".".join(bad.place), str(bad)) from None
        except ValidationError as error:
            place, words = complaint(error)
            raise _wrong(source, ".".join(place), words) from None
        if wrong := problem_of_trees(manifest, self.code):
            raise _wrong(source, ".".join(wrong[0]), wrong[1])
        return manifest


def _wrong(source: str, place: str, words: str) -> Misconfigured:
    said = words if not place or words.startswith(place) else f"{place}: {words}"
    return Misconfigured(f"account {source}: {said}")
