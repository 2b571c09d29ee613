"""What a shop gives, checked against what the manifest declares, all problems at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sync_worker.core.errors import Misconfigured
from sync_worker.core.nearest import nearest
from sync_worker.core.pasted import bare
from sync_worker.core.said import joined, said
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.settings import SettingSpec


class BadValues(Misconfigured):
    """Values that cannot be; ``problems``: in words by the setting's name, without a value."""

    def __init__(self, connector: str, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__(
            said(
                "%(connector)s: %(problems)s; nothing is changed",
                connector=connector,
                problems=joined("; ", list(self.problems.values())),
            )
        )


@dataclass(frozen=True, slots=True)
class Parted:
    """Values by their names, the secret ones apart: those are sealed, and never shown again.

    ``left_out``: optional ones that were there and shall not be.
    """

    settings: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    left_out: frozenset[str] = frozenset()


def parted(manifest: Manifest, given: Mapping[str, str]) -> Parted:
    """All values of a new account. Raises BadValues."""
    values, left_out = _checked(manifest, given)
    missing = {
        spec.name: said("%(name)s (%(title)s) is not given", name=spec.name, title=spec.title)
        for spec in manifest.settings
        if spec.required and spec.default is None and spec.name not in values
    }
    if missing:
        raise BadValues(manifest.id, missing)
    return _parted(manifest, values, left_out)


def parted_change(manifest: Manifest, given: Mapping[str, str]) -> Parted:
    """Values of which some are given anew; an empty one is left out. Raises BadValues."""
    values, left_out = _checked(manifest, given)
    needed = {
        spec.name: said("%(name)s (%(title)s) cannot be left out", name=spec.name, title=spec.title)
        for spec in manifest.settings
        if spec.name in left_out and spec.required and spec.default is None
    }
    if needed:
        raise BadValues(manifest.id, needed)
    return _parted(manifest, values, left_out)


def _parted(manifest: Manifest, values: Mapping[str, str], left_out: frozenset[str]) -> Parted:
    are_secret = {spec.name for spec in manifest.settings if spec.kind == "secret"}
    return Parted(
        {name: text for name, text in values.items() if name not in are_secret},
        {name: text for name, text in values.items() if name in are_secret},
        left_out,
    )


def _checked(manifest: Manifest, given: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """Values as they are kept, and the names of those that are empty. Raises BadValues."""
    texts = {name: bare(text) for name, text in given.items()}
    if problems := dict(_problems(manifest, texts)):
        raise BadValues(manifest.id, problems)
    values = {name: text for name, text in texts.items() if text}
    return values, frozenset(texts) - frozenset(values)


def _problems(manifest: Manifest, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    specs = {spec.name: spec for spec in manifest.settings}
    for name, text in texts.items():
        spec = specs.get(name)
        if spec is None:
            yield name, _unknown(name, specs)
        elif text and (problem := spec.problem_of(text)):
            yield name, joined(" ", [f"{name} ({spec.title})", problem])


def _unknown(name: str, specs: Mapping[str, SettingSpec]) -> str:
    known = sorted(specs)
    meant = nearest(name, known)
    hint = said("; did you mean %(name)s?", name=repr(meant)) if meant else ""
    declared = said("it has none")
    if known:
        declared = said("there are %(names)s", names=", ".join(known))
    return said(
        "there is no setting %(name)s: %(declared)s%(hint)s",
        name=repr(name[:64]),
        declared=declared,
        hint=hint,
    )
