"""Manifests from files: YAML, references to settings, inheritance.

Errors say where the problem is and what to do next.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sync_worker.core.errors import Misconfigured
from sync_worker.files.lines import spot_of
from sync_worker.files.yaml_file import BadYaml, read_yaml
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.account_manifests import AccountManifests
from sync_worker.manifest.source.call_trees import problem_of_trees
from sync_worker.manifest.source.complaints import complaint
from sync_worker.manifest.source.left_out_words import without_left_out
from sync_worker.manifest.source.resolving import (
    BadReference,
    Placeholders,
    declared_settings,
    is_reference,
    merged_settings,
    resolved,
    settings_named,
)

SHIPPED = Path(__file__).parent.parent / "connectors"
CALLS = frozenset({"probe", "get", "find", "list", "create", "update", "delete"})


def load_manifests(paths: Iterable[Path], environ: Mapping[str, str]) -> dict[str, Manifest]:
    """Manifests by id, from files and folders. Raises Misconfigured."""
    manifests: dict[str, Manifest] = {}
    for file in manifest_files(paths):
        manifest = load_manifest(file, environ)
        refuse_taken(manifest.id, manifests, file)
        manifests[manifest.id] = manifest
    return manifests


def manifest_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The manifests among files and folders."""
    for path in paths:
        yield from sorted(path.glob("*.y*ml")) if path.is_dir() else [path]


def refuse_taken(name: str, taken: Container[str], file: Path) -> None:
    """Raises Misconfigured for a second manifest of one name."""
    if name in taken:
        raise Misconfigured(
            f"{file}: connector id {name!r} is taken by another manifest; choose another id"
        )


def load_manifest(file: Path, environ: Mapping[str, str]) -> Manifest:
    """One manifest. ``environ`` resolves ``{env: NAME}`` (also as NAME_FILE).

    Raises Misconfigured.
    """
    return parse_manifest(_read(file), environ, file)


def unused_settings(file: Path) -> list[str]:
    """Settings that a manifest itself declares and no call of it uses. Raises Misconfigured."""
    document = _read(file)
    used = settings_named(_inherited(document, file))
    return [name for name in declared_settings(document) if name not in used]


def shipped_manifest(name: str) -> Path:
    """The file of a manifest that ships with ratings-sync. Raises Misconfigured."""
    file = SHIPPED / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise Misconfigured(f"there is no connector {name!r}; shipped are: {known}")
    return file


def account_manifests(file: Path, environ: Mapping[str, str]) -> AccountManifests:
    """A connector as code for its accounts. Raises Misconfigured, with the file and the place.

    ``environ`` answers what the manifest names and does not declare as a setting.
    """
    document = _with_identity(_inherited(_read(file), file))
    code = parse_manifest(document, Placeholders(environ), file)
    return AccountManifests(document, code, environ)


def parse_manifest(document: Mapping[str, Any], environ: Mapping[str, str], file: Path) -> Manifest:
    """A manifest from a document. Raises Misconfigured, with the file and the place."""
    document = _with_identity(_inherited(document, file))
    try:
        manifest = Manifest.model_validate(resolved(document, environ))
    except BadReference as bad:
        raise _wrong(file, bad.place, str(bad)) from None
    except ValidationError as error:
        at, words = complaint(error)
        raise Misconfigured(f"{named_place(file, at)}: {words}") from None
    if wrong := problem_of_trees(manifest):
        raise _wrong(file, *wrong)
    return manifest


def _with_identity(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the settings that tell one account from another, where the manifest leaves them out."""
    if "account_identity" in document:
        return document
    used = settings_named([document.get("base_url"), document.get("conn")])
    return {**document, "account_identity": sorted(used)}


def _read(file: Path) -> Mapping[str, Any]:
    try:
        document = read_yaml(file)
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read ({error.strerror})") from None
    except BadYaml as error:
        raise Misconfigured(f"{file}: is no YAML: {error}") from None
    if not isinstance(document, dict):
        raise Misconfigured(f"{file}: a manifest is a mapping of sections; see docs/connectors.md")
    return document


def _inherited(document: Mapping[str, Any], file: Path, *chain: Path) -> Mapping[str, Any]:
    """A manifest that ``extends`` another states only what differs.

    ``chain``: the files from ``file`` to here.
    """
    parent = document.get("extends")
    if parent is None:
        return document
    if not isinstance(parent, str):
        raise Misconfigured(f"{file}: extends: is the name of one connector, not {parent!r}")
    base = _base_of(parent, file, (file, *chain)[-1])
    if base in (file, *chain):
        names = " extends ".join(path.stem for path in (file, *chain, base))
        raise Misconfigured(f"{file}: extends: {names}; one of them must stand alone")
    own = {key: value for key, value in document.items() if key != "extends"}
    inherited = _inherited(_read(base), file, *chain, base)
    if "settings" in own:
        own["settings"] = merged_settings(inherited.get("settings"), own["settings"])
    return _merged(without_left_out(inherited, own), own)


def _refuse_parent(parent: str, file: Path, here: Path) -> None:
    """Raises Misconfigured for what is no other manifest: none stands beside it by that name."""
    if "/" in parent or "\\" in parent:
        raise Misconfigured(
            f"{file}: extends: no manifest stands at {parent!r}; name a connector that ships, or a"
            " manifest beside this one"
        )
    if parent.endswith((".yaml", ".yml")):
        name = parent.rpartition(".")[0]
        raise Misconfigured(f"{file}: extends: {parent!r} is a file's name; write {name}")
    if parent == here.stem and not (SHIPPED / f"{parent}.yaml").is_file():
        raise Misconfigured(
            f"{file}: extends: {parent} is this manifest itself; name another one that stands"
            " beside it, or a connector that ships"
        )


def _base_of(parent: str, file: Path, here: Path) -> Path:
    """The file that ``extends`` names in ``here``; ``file``: the manifest that was asked for."""
    beside = file.parent / f"{parent}.yaml"
    # A file that has the name of a shipped connector may extend that one.
    if beside.is_file() and beside.resolve() != here.resolve():
        return beside
    _refuse_parent(parent, file, here)
    return shipped_manifest(parent)


def _wrong(file: Path, place: Sequence[str], why: str) -> Misconfigured:
    return Misconfigured(f"{named_place(file, place)}: {'.'.join(place)}: {why}")


def named_place(file: Path, place: Sequence[str]) -> str:
    """A place for its author: the file that says it, with line and column where they are known."""
    spot = spot_of(place, *_sources(file)) if place else None
    return str(spot or file)


def _sources(file: Path) -> list[Path]:
    """A manifest and those that it extends, as far as they can be read."""
    files = [file]
    with suppress(Misconfigured):
        while isinstance(parent := _read(files[-1]).get("extends"), str):
            base = _base_of(parent, file, files[-1])
            if base in files:
                break
            files.append(base)
    return files


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and _goes_into(key, old, value):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged


def _goes_into(key: str, old: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether both say one thing.

    Of other credentials, other pages, a hook for a call nothing is taken over.
    """
    if is_reference(own):
        return False
    choice = {"auth": "type", "pagination": "kind"}.get(key)
    if choice is not None:
        is_same: bool = own.get(choice, old.get(choice)) == old.get(choice)
        return is_same
    return key not in CALLS or not ("handler" in own or ("handler" in old and "method" in own))
