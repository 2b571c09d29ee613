"""Words that the manifest says travel, and that its calls cannot carry. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.values.texts import REPLY
from sync_worker.manifest.check.findings import Finding
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import OperationSpec
from sync_worker.manifest.schema.record import WordName
from sync_worker.manifest.text_rules import carries, declared_limit, leaves_from

SYNC = "text.sync"
WORDS: tuple[WordName, ...] = ("title", "body", "reply")
TEXTS = ("str", "html_text")


def check_texts(manifest: Manifest) -> Iterator[Finding]:
    """``text`` beside the fields that read the words and the calls that write them."""
    if manifest.plugin is not None:
        return
    for name in WORDS:
        if name in manifest.text.sync:
            yield from _read(manifest, name)
            yield from _written(manifest, name)
            yield from _limits(manifest, name)
        elif declared_limit(manifest.text, name) is not None:
            place = f"text.{name}_max_length"
            advice = f"says nothing while {SYNC} does not name {name}: no text of ours goes there"
            yield Finding(place, advice=advice, place=place)
    for name in manifest.text.create_only:
        if name not in manifest.text.sync:
            place = "text.create_only"
            yield Finding(place, f"names {name}, and {SYNC} does not", place=place)


def _read(manifest: Manifest, name: WordName) -> Iterator[Finding]:
    field = getattr(manifest.fields, name)
    if field is not None and field.as_ not in TEXTS:
        place = f"fields.{name}"
        wrong = (
            f"as: {field.as_} is no text, and {SYNC} keeps its text in step; write str or html_text"
        )
        yield Finding(place, wrong, place=place)


def _written(manifest: Manifest, name: WordName) -> Iterator[Finding]:
    """A change that the system cannot take is held each time: then better not to promise it."""
    if name == REPLY:
        return
    create, update = manifest.operations.create, manifest.operations.update
    leaf = f"{{from: rating.{name}}}"
    if create is not None and not carries(create, name):
        wrong = (
            f"does not send the {name} that {SYNC} names, so a new rating comes without it; add"
            f" {leaf}, or take {name} out of {SYNC}"
        )
        yield Finding("operations.create", wrong, place="operations.create")
    is_left_out = name in manifest.text.create_only
    if update is not None and not carries(update, name) and not is_left_out:
        wrong = (
            f"does not send the {name} that {SYNC} names, so each change of it would be held; add"
            f" {leaf}, or name {name} under text.create_only"
        )
        yield Finding("operations.update", wrong, place="operations.update")


def _limits(manifest: Manifest, name: WordName) -> Iterator[Finding]:
    declared = declared_limit(manifest.text, name)
    rule = manifest.capabilities.words[name]
    if declared is not None and len(rule.placeholder) > declared:
        place = f"text.placeholder_{name}"
        wrong = f"is longer than text.{name}_max_length, {declared}: the system refuses it"
        yield Finding(place, wrong, place=place)
    for call, spec in manifest.operations.specs:
        if isinstance(spec, OperationSpec):
            yield from _of_leaves(manifest, name, f"operations.{call}", spec)


def _of_leaves(
    manifest: Manifest, name: WordName, place: str, spec: OperationSpec
) -> Iterator[Finding]:
    declared = declared_limit(manifest.text, name)
    is_html = manifest.capabilities.words[name].is_html
    for leaf in leaves_from(spec.body, f"rating.{name}"):
        limit = leaf.get("max_length")
        if limit is not None and declared is not None and limit < declared:
            advice = (
                f"a leaf cuts the {name} at {limit} characters, and text.{name}_max_length says"
                f" {declared}: longer ones than {limit} are held or cut; name one limit"
            )
            yield Finding(place, advice=advice, place=place)
        if leaf.get("as") == "html_text" and not is_html:
            wrong = (
                f"writes the {name} with entities (as: html_text), and fields.{name} reads it as"
                " plain text: every quote would change; let both be html_text, or neither"
            )
            yield Finding(place, wrong, place=place)
