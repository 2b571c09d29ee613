"""The body of an update: what we change, and of the rest the system's own bytes. Pure.

We own the values that are mapped, and the words that a write brings. Other words, state, times,
addresses, and where a record was born belong to whoever wrote them: a patch leaves them out, a full
update sends them back as the system last returned them. What no record shows is sent where we know
it, and never invented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sync_worker.core.errors import Permanent
from sync_worker.core.values import Draft
from sync_worker.core.values.texts import BODY, REPLY, TITLE
from sync_worker.manifest.drafts import (
    keep_items,
    may_be_unseen,
    own_value,
    values_in_context,
    words_in_context,
)
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import MAIN_FIELD
from sync_worker.manifest.record_writer import filled, merged_over
from sync_worker.manifest.schema.calls import OperationSpec
from sync_worker.manifest.tree_outline import Owner, Part, Place

LEFT_OUT = object()
WORDS = {f"rating.{name}": name for name in (TITLE, BODY, REPLY)}
MARK = "sync."  # written by a create of ours: a record born elsewhere never shows it
Context = Mapping[str, Any]


def update_body(
    manifest: Manifest,
    spec: OperationSpec,
    draft: Draft,
    held: Mapping[str, Decimal],
    context: Context,
) -> Any:
    """The body of an update by its declared tree. ``context``: what a create is filled from.

    ``held``: what the record held before, of ``held_values``. Raises Permanent.
    """
    # A body that is one leaf or a list has no fields that could be told apart.
    if spec.outline is None:
        return filled(spec.body, context)
    is_full = manifest.operations.update_mode == "full"
    before = _as_it_stands(manifest, draft, held, context)
    old_words = frozenset(
        source
        for source, name in WORDS.items()
        if before["rating"][name] == context["rating"][name]
    )
    changes = _Changes(manifest, draft, held, before, context, old_words, is_full)
    body = changes.body(spec.outline)
    if not is_full:
        return body
    read_only = manifest.operations.read_only
    returned = {key: value for key, value in draft.last.items() if key not in read_only}
    return merged_over(returned, body)


def shows_in_part(manifest: Manifest, last: Mapping[str, Any]) -> bool:
    """Whether a record shows less than a full update says of it, and a read may tell more."""
    spec = manifest.operations.update
    if not isinstance(spec, OperationSpec) or manifest.operations.get is None:
        return False
    for part in spec.outline or ():
        if part.is_fixed or part.owner is Owner.ADDRESS or part.source.startswith(MARK):
            continue
        # Most leaves stand at the top, and are shown.
        if len(part.place) == 1 and part.place[0] in last:
            continue
        if not _is_told(last, part.place) and own_value(manifest, part.source, last) is None:
            return True
    return False


def _is_told(last: Mapping[str, Any], place: Place) -> bool:
    """Whether a record says what stands at a place, or that nothing does (``origin: null``)."""
    shown: Any = last
    for key in place:
        if not isinstance(shown, Mapping):
            return True
        if key not in shown:
            return False
        shown = shown[key]
    return True


def _as_it_stands(
    manifest: Manifest, draft: Draft, held: Mapping[str, Decimal], context: Context
) -> Context:
    """The same context with what the record held when it was last returned."""
    rating = context["rating"]
    # In the order of the draft, so that lists of equal values are equal.
    ours = [name for name in dict.fromkeys((*draft.values, *sorted(draft.mapped))) if name in held]
    attributes = [{"name": name, "value": held[name]} for name in ours if name != MAIN_FIELD]
    attributes += [mark for mark in rating["attributes"] if mark["name"] not in draft.mapped]
    stood = values_in_context(held.get(MAIN_FIELD), attributes)
    if draft.words:
        stood |= words_in_context(manifest, replace(draft, words={}))
        stood |= dict.fromkeys(draft.words_to_write, LEFT_OUT)
    return {**context, "rating": rating | stood}


@dataclass(frozen=True, slots=True)
class _Changes:
    """Fills a tree. ``before`` and ``now`` differ only in the values and words that are ours.

    ``old_words``: sources of leaves whose words this write does not change.
    """

    manifest: Manifest
    draft: Draft
    held: Mapping[str, Decimal]
    before: Context
    now: Context
    old_words: frozenset[str]
    is_full: bool

    def body(self, outline: Sequence[Part]) -> dict[str, Any]:
        """What is sent of the parts of a tree."""
        sent: dict[Place, Any] = {}
        for part in outline:
            shown: Any = self.draft.last
            for key in part.place:
                shown = shown.get(key, LEFT_OUT) if isinstance(shown, Mapping) else LEFT_OUT
            stays = shown is not LEFT_OUT if self.is_full else not part.is_required
            # The system keeps what a patch does not name; a whole record goes back as it is.
            is_theirs = part.owner is Owner.THEIRS or part.source in self.old_words
            if stays and is_theirs:
                continue
            if part.is_fixed:
                value = self._fixed(part, shown, sent)
            elif is_theirs:
                value = self._unchanged(part, shown)
            else:
                value = self._leaf(part, shown)
            if value is not LEFT_OUT:
                sent[part.place] = value
        return _nested(sent)

    def _fixed(self, part: Part, shown: Any, sent: Mapping[Place, Any]) -> Any:
        """A fixed value; leaves come before it."""
        # It only explains leaves that are not sent: `origin: {system: wix, id: …}`.
        if part.explains and part.explains.isdisjoint(sent):
            return LEFT_OUT
        # It never takes the place of another value that the record has.
        return part.node if shown is LEFT_OUT or shown == part.node else LEFT_OUT

    def _leaf(self, part: Part, shown: Any) -> Any:
        value = filled(part.node, self.now)
        # Which record is meant is said in any case.
        if part.owner is not Owner.ADDRESS and not self._is_changed(part, value):
            return self._unchanged(part, shown)
        if part.is_list_of_attributes:
            value = keep_items(self.manifest, self.draft, self.held, value)
        return LEFT_OUT if value is None else value

    def _is_changed(self, part: Part, value: Any) -> bool:
        try:
            return bool(filled(part.node, self.before) != value)
        # What the record held does not even fit the leaf.
        except Permanent:
            return True

    def _unchanged(self, part: Part, shown: Any) -> Any:
        is_shown = shown is not LEFT_OUT
        is_wanted = self._is_wanted(part)
        # It goes back with the whole record, or the system keeps what a patch does not name.
        if (self.is_full and is_shown) or not (self.is_full or is_wanted):
            return LEFT_OUT
        # The record shows it here, at another place, or not at all.
        own = shown if is_shown else own_value(self.manifest, part.source, self.draft.last)
        if own is None and self.is_full:
            own = self._known(part)
        if own is not None:
            return own
        return self._demanded(part) if is_wanted else LEFT_OUT

    def _known(self, part: Part) -> Any:
        """What we know of a leaf that no record shows: our values, whose it is, what it rates."""
        if not part.is_known or not isinstance(part.node, Mapping):
            return None
        # A default is no knowledge.
        leaf = {key: word for key, word in part.node.items() if key not in ("default", "required")}
        value = filled(leaf, self.now)
        return value if value not in ("", []) else None

    def _demanded(self, part: Part) -> Any:
        """A leaf that the system insists on. Raises Permanent if it would replace unseen words."""
        if self.is_full and may_be_unseen(self.manifest, part.source):
            name = part.source.removeprefix("rating.")
            raise Permanent(
                f"{self.manifest.id} insists on operations.update.body.{'.'.join(part.place)}, and"
                f" no record shows what it holds: name where it is read in fields.{name}",
                reason="cannot_write",
            )
        return filled(part.node, self.now)

    def _is_wanted(self, part: Part) -> bool:
        """Whether the system refuses an update without it, says the manifest."""
        text = self.manifest.text
        needed = {"rating.title": text.required_title, "rating.body": text.required_body}
        return part.is_required or (self.is_full and needed.get(part.source, False))


def _nested(sent: Mapping[Place, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for place, value in sent.items():
        branch = body
        for key in place[:-1]:
            branch = branch.setdefault(key, {})
        branch[place[-1]] = value
    return body
