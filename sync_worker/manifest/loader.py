"""Manifests from files: YAML, references to settings, inheritance.

Errors say where the problem is and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from sync_worker.core.errors import Misconfigured
from sync_worker.files.references import BadReference, looked_up
from sync_worker.files.yaml_file import BadYaml, read_yaml
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_writer import HOOK_ROOTS, ROOTS, check_tree

SHIPPED = Path(__file__).parent.parent / "connectors"
OPTIONAL_KEYS = frozenset({"previous_secret", "previous_key"})
UNION_PARTS = frozenset({"OperationSpec", "Hook", "tuple", "DeliveryResult", "RecordResult"})
TYPES = frozenset(
    {"none", "basic", "bearer", "headers", "query", "oauth2_client_credentials", "hmac_request"}
    | {"hmac", "standard_webhooks", "jwt", "static_header", "url_token"}
)
CALLS = frozenset({"probe", "get", "find", "list", "create", "update", "delete"})
MAX_NUMBER = 2**63 - 1
PLAIN_PLACES = frozenset(
    {"base_url", "conn", "token_url"}
)  # what a reference there names is no secret


def load_manifests(paths: Iterable[Path], environ: Mapping[str, str]) -> dict[str, Manifest]:
    """Manifests by id, from files and folders. Raises Misconfigured."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
    manifests: dict[str, Manifest] = {}
    for file in files:
        manifest = load_manifest(file, environ)
        if manifest.id in manifests:
            raise Misconfigured(
                f"{file}: connector id {manifest.id!r} is taken by another manifest; choose"
                " another id"
            )
        manifests[manifest.id] = manifest
    return manifests


def load_manifest(file: Path, environ: Mapping[str, str]) -> Manifest:
    """One manifest. ``environ`` resolves ``{env: NAME}`` (also as NAME_FILE).

    Raises Misconfigured.
    """
    return parse_manifest(_read(file), environ, file)


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


def shipped_manifest(name: str) -> Path:
    """The file of a manifest that ships with ratings-sync. Raises Misconfigured."""
    file = SHIPPED / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise Misconfigured(f"there is no connector {name!r}; shipped are: {known}")
    return file


def parse_manifest(document: Mapping[str, Any], environ: Mapping[str, str], file: Path) -> Manifest:
    """A manifest from a document. Raises Misconfigured, with the file and the place."""
    document = _inherited(document, file)
    try:
        manifest = Manifest.model_validate(_resolved(document, environ, file, ()))
    except ValidationError as error:
        raise Misconfigured(f"{file}: {_in_words(error)}") from None
    for place, operation in manifest.specs:
        roots = HOOK_ROOTS if place.startswith("webhook.") else ROOTS
        for part in ("path", "query", "headers", "body"):
            problem = check_tree(getattr(operation, part), is_path=part == "path", roots=roots)
            if problem:
                raise Misconfigured(f"{file}: {place}.{part}: {problem}")
    return manifest


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
    here = (file, *chain)[-1]
    beside = file.parent / f"{parent}.yaml"
    # A file that has the name of a shipped connector may extend that one.
    base = beside if beside.is_file() and beside != here else shipped_manifest(parent)
    if base in (file, *chain):
        names = " extends ".join(path.stem for path in (file, *chain, base))
        raise Misconfigured(f"{file}: extends: {names}; one of them must stand alone")
    own = {key: value for key, value in document.items() if key != "extends"}
    return _merged(_inherited(_read(base), file, *chain, base), own)


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
    if _is_reference(own):
        return False
    choice = {"auth": "type", "pagination": "kind"}.get(key)
    if choice is not None:
        is_same: bool = own.get(choice, old.get(choice)) == old.get(choice)
        return is_same
    return key not in CALLS or not ("handler" in own or ("handler" in old and "method" in own))


def _is_reference(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in ("env", "file")


def _resolved(value: Any, environ: Mapping[str, str], file: Path, place: tuple[str, ...]) -> Any:
    """References replaced by what they name: a SecretStr, or the plain text for ``base_url``."""
    if _is_reference(value) and place[:1] != ("examples",):
        try:
            text = looked_up(value, environ, is_optional=place[-1] in OPTIONAL_KEYS)
        except BadReference as bad:
            raise Misconfigured(f"{file}: {'.'.join(place)}: {bad}") from None
        if text is None:
            return None
        return text if PLAIN_PLACES & {place[0], place[-1]} else SecretStr(text)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise Misconfigured(
                    f"{file}: {'.'.join(place)}: the key {key!r} is not a text; put it in quotes"
                )
        return {key: _resolved(part, environ, file, (*place, key)) for key, part in value.items()}
    if isinstance(value, list):
        return [
            _resolved(item, environ, file, (*place, str(number)))
            for number, item in enumerate(value)
        ]
    is_number = isinstance(value, int | float) and place[:1] != ("examples",)
    if is_number and not abs(value) <= MAX_NUMBER:
        raise Misconfigured(f"{file}: {'.'.join(place)}: no number here is above {MAX_NUMBER:,}")
    return value


def _in_words(error: ValidationError) -> str:
    """The problem that explains most, with its place.

    For an unknown key with the nearest known key.
    """
    problems = error.errors(include_url=False, include_input=False)
    problem = problems[0]
    if (
        problem["type"] == "missing"
    ):  # perhaps only misspelt: then the unknown key beside it says more
        beside = (
            one
            for one in problems
            if one["type"] == "extra_forbidden" and one["loc"][:-1] == problem["loc"][:-1]
        )
        problem = next(beside, problem)
    parts = [str(part) for part in problem["loc"]]
    place = ".".join(
        part for before, part in zip(["", *parts], parts, strict=False) if _is_written(part, before)
    )
    if problem["type"] == "extra_forbidden":
        return f"unknown key {place!r}{_nearest(parts[-1])}"
    message = _reworded(problem["type"], problem.get("ctx", {})) or problem["msg"].removeprefix(
        "Value error, "
    )
    return f"{place}: {message}" if place else message


def _reworded(kind: str, facts: Mapping[str, Any]) -> str:
    """What pydantic says, in words for whoever writes a manifest.

    Empty where pydantic's own words will do.
    """
    match kind:
        case "missing":
            return "is missing"
        case "literal_error":
            return f"is one of {facts['expected']}"
        case "string_pattern_mismatch":
            return f"is not in its form, {facts['pattern']}; see docs/connectors.md"
        case "union_tag_invalid":
            return (
                f"{facts['discriminator'].strip(chr(39))}: {facts['tag']!r} is none of"
                f" {facts['expected_tags']}"
            )
        case "union_tag_not_found":
            return f"needs {facts['discriminator'].strip(chr(39))}"
        case "tuple_type":
            return "is a list: [ … ]"
        case "model_type" | "model_attributes_type" | "mapping_type" | "dict_type":
            return "is a section with keys of its own"
        case _:
            return ""


def _is_written(part: str, before: str) -> bool:
    """Whether a part of a place is in the manifest.

    Pydantic also names the branch of a union that it tried.
    """
    is_type = (before == "auth" or before.isdigit()) and part in TYPES
    return not is_type and "[" not in part and part not in UNION_PARTS


def _nearest(key: str) -> str:
    known = _known_keys(Manifest)
    if key in known:
        return "; it belongs to another section, see docs/connectors.md"
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "; see docs/connectors.md for the keys"


def _known_keys(model: type[BaseModel]) -> set[str]:
    """Every key of the schema, at any depth."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return {key for part in parts for key in part.get("properties", {})}
