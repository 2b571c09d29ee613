"""What a shop gives, checked against what the manifest declares, all problems at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sync_worker.core.errors import Misconfigured
from sync_worker.core.nearest import nearest
from sync_worker.core.pasted import bare
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.settings import SettingSpec


class BadValues(Misconfigured):
    """Values that cannot be; ``problems``: in words by the setting's name, without a value."""

    def __init__(self, connector: str, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__(f"{connector}: {'; '.join(self.problems.values())}; nothing is changed")


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
        spec.name: f"{spec.name} ({spec.title}) is not given"
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
        spec.name: f"{spec.name} ({spec.title}) cannot be left out"
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
            yield name, f"{name} ({spec.title}) {problem}"


def _unknown(name: str, specs: Mapping[str, SettingSpec]) -> str:
    known = sorted(specs)
    meant = nearest(name, known)
    hint = f"; did you mean {meant!r}?" if meant else ""
    declared = f"there are {', '.join(known)}" if known else "it has none"
    return f"there is no setting {name[:64]!r}: {declared}{hint}"
