"""How a file of ratings is read: which columns hold what, on which scale (``--preset``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sync_worker.core.errors import Misconfigured
from sync_worker.core.scale import MappingKind
from sync_worker.core.values import Side
from sync_worker.files.yaml_file import BadYaml, read_yaml
from sync_worker.manifest.schema.record import ScaleSection
from sync_worker.manifest.source.stands import kind_of

FORMATS = Path(__file__).parent / "file_formats"
MAPPINGS = frozenset({"columns", "values", "scale"})
PARTS = (
    "entity",
    "entity_group",
    "entity_namespace",
    "email",
    "name",
    "state",
    "title",
    "body",
    "date",
    "pictures",
)
ALSO = {"author_name": "name"}  # as exports call it


class Columns(BaseModel):
    """Where a row keeps its parts: a column's name, in JSONL a path (https://jmespath.org)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity: str
    email: str
    entity_group: str | None = None
    entity_namespace: str | None = None
    name: str | None = None
    state: str | None = None
    title: str | None = None
    body: str | None = None
    date: str | None = None
    pictures: str | None = None


class FileFormat(BaseModel):
    """How rows are read.

    ``values``: the column of each attribute; ``published``: states that count, every row if empty;
    ``unrated``: texts that stand for no rating; ``entity_of``: whose ids the file names;
    ``html_words``: title and body are HTML; ``date_format``: of ``moment_in``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    title: str = ""
    columns: Columns
    values: Mapping[str, str] = Field(min_length=1)
    scale: ScaleSection
    published: tuple[str, ...] = ()
    unrated: tuple[str, ...] = ()
    entity_of: Side = Side.EXTERNAL
    html_words: bool = False
    date_format: str | None = None


def load_format(name: str) -> Mapping[str, Any]:
    """A shipped format by name, or one of your own by path, as written. Raises Misconfigured."""
    is_path = "/" in name or name.endswith((".yaml", ".yml"))
    path = Path(name) if is_path else FORMATS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FORMATS.glob("*.yaml")))
        raise Misconfigured(
            f"there is no preset {name!r}; shipped are: {known}; or give the path of your own"
        )
    try:
        document = read_yaml(path)
    except (OSError, BadYaml) as error:
        raise Misconfigured(f"{path}: is no preset: {error}") from None
    if not isinstance(document, dict):
        raise Misconfigured(f"{path}: a preset is a mapping; see docs/setup.md")
    for part in MAPPINGS & document.keys():
        if not isinstance(document[part], dict):
            raise Misconfigured(
                f"{path}: {part}: is {kind_of(document[part])}, and has to be a mapping; see"
                " docs/setup.md"
            )
    return document


def format_of(
    base: Mapping[str, Any],
    columns: Mapping[str, str],
    *,
    scale: tuple[str, str, str] | None = None,
    mapping: MappingKind | None = None,
    entity_of: str | None = None,
    published: Sequence[str] = (),
) -> FileFormat:
    """A format with the options of a command over it.

    Raises Misconfigured, also for an option that would change nothing.
    """
    document = dict(base)
    columns = renamed(columns)
    parts = {name: column for name, column in columns.items() if name in PARTS}
    values = {name: column for name, column in columns.items() if name not in PARTS}
    document["columns"] = {**renamed(document.get("columns", {})), **parts}
    document["values"] = values or document.get("values", {})
    if scale is not None:
        document["scale"] = dict(zip(("min", "max", "step"), scale, strict=True))
    if mapping is not None:
        document["scale"] = {**document.get("scale", {}), "mapping": mapping}
    if entity_of is not None:
        document["entity_of"] = entity_of
    if published:
        document["published"] = tuple(published)
    try:
        form = FileFormat.model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise Misconfigured(
            f"the columns are not all known: {place}:"
            f" {problem['msg'].removeprefix('Value error, ')}; choose a --preset, or name them:"
            " --column entity=… --column email=… --column overall=… --scale 1:5:1"
        ) from None
    _refuse_without_effect(form, columns, published)
    return form


def renamed(columns: Mapping[str, str]) -> dict[str, str]:
    """Parts by their own names. Raises Misconfigured for one that is named in both ways."""
    for other, own in ALSO.items():
        if other in columns and own in columns:
            raise Misconfigured(f"the columns name {other} and {own}, which are the same part")
    return {ALSO.get(part, part): column for part, column in columns.items()}


def _refuse_without_effect(
    form: FileFormat, columns: Mapping[str, str], published: Sequence[str]
) -> None:
    if "state" in columns and not form.published:
        raise Misconfigured(
            f"--column state={columns['state']} changes nothing: every row counts until --published"
            " WORD says which state does (several times for several words)"
        )
    if published and form.columns.state is None:
        raise Misconfigured(
            f"--published {published[0]} changes nothing: name the column of the state, too, with"
            " --column state=COLUMN"
        )
    if "entity_namespace" in columns and form.entity_of is Side.EXTERNAL:
        raise Misconfigured(
            f"--column entity_namespace={columns['entity_namespace']} changes nothing: ids of the"
            " external system have no namespace; add --entity-of wix if these are ids of Wix"
        )
