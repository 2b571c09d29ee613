"""Moderation states that are read otherwise than they are written, or not at all. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.errors import Permanent
from sync_worker.core.nearest import nearest
from sync_worker.core.values import RecordState
from sync_worker.manifest.check.findings import Finding
from sync_worker.manifest.field_values import converted, source_of
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.examples import RecordExample

READ = "states.read"


def check_states(manifest: Manifest) -> Iterator[Finding]:
    """The words of ``states`` beside each other, and beside those of the samples."""
    states = manifest.states
    if manifest.fields.state is None:
        return
    if "published" not in (*states.read.values(), states.default):
        wrong = "no word reads as published, so nothing crosses; name the system's word for it"
        yield Finding(READ, wrong, place=READ)
        return
    yield from _written(manifest)
    for example in manifest.examples.records:
        yield from _of_sample(manifest, example)


def unread_word(manifest: Manifest, word: str) -> str:
    """What follows from a word of the system that ``states.read`` does not have."""
    states = manifest.states
    meant = nearest(word, states.read)
    hint = f"; did you mean {meant!r}?" if meant else ""
    crosses = "" if states.default == "published" else " and does not cross"
    words = ", ".join(sorted(states.read)) or "none"
    return (
        f"{word!r}, which is not among the words of {READ} ({words}): it reads as"
        f" {states.default}{crosses}{hint}"
    )


def _written(manifest: Manifest) -> Iterator[Finding]:
    """What we write has to read as what we meant: else each of our writes looks like an edit."""
    word = manifest.states.write.get("published")
    if word is None or manifest.states.of(word) is RecordState.PUBLISHED:
        return
    reads = manifest.states.read.get(word, manifest.states.default)
    meant = nearest(word, manifest.states.read)
    hint = f"; did you mean {meant!r}?" if meant and word not in manifest.states.read else ""
    place = "states.write.published"
    yield Finding(place, f"we write {word!r}, which {READ} reads as {reads}{hint}", place=place)


def _of_sample(manifest: Manifest, example: RecordExample) -> Iterator[Finding]:
    field, expected = manifest.fields.state, example.expect
    # Who expects a state of a sample has seen what it reads as.
    if field is None or isinstance(expected, str) or "state" in expected.model_fields_set:
        return
    try:
        word = converted(field, source_of(field, example.resource, example.context))
    except Permanent:
        return
    text = str(word).lower() if isinstance(word, bool) else word
    if text is None or str(text) in manifest.states.read:
        return
    wrong = f"the sample {example.name!r} says {unread_word(manifest, str(text))}"
    yield Finding(READ, wrong, place=READ)
