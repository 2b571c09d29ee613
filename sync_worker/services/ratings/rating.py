"""One rating: both sides beside each other, what differs and why, and all that happened to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync_worker.core.hold_reasons import STOPPED, hold_reason
from sync_worker.core.said import said, sentence
from sync_worker.core.values import HistoryKind, InboxState, Side, Slot, Value, WixKind
from sync_worker.ledger.ratings.rating_story import DeliveryStep, RatingStories, RatingStory
from sync_worker.services.access.who import Right, Who
from sync_worker.services.ratings.shaping import delivery_found, is_erased, rating_found
from sync_worker.services.ratings.timeline import Step, steps_of_delivery, timeline
from sync_worker.services.ratings.values import DeliveryFound, RatingFound
from sync_worker.services.ratings.words import OPERATIONS, title_of, told

WORDS = ("title", "body", "reply")
LEFT = (HistoryKind.HOLD, HistoryKind.IGNORE)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute on both sides. ``base_…``: when they last agreed; ``why``: they differ."""

    name: str
    is_words: bool
    wix: str | None
    external: str | None
    base_wix: str | None
    base_external: str | None
    wix_best: str | None
    external_best: str | None
    differs: bool
    why: str


@dataclass(frozen=True, slots=True)
class HeldNow:
    """A delivery of the rating that waits for a person, with what to do about it."""

    number: str
    inbox_id: int
    side: str
    reason: str
    title: str
    sentence: str
    advice: str
    frees_itself: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class OneRating:
    """``version``: of what was looked at, for a decision about it. ``has_words``: it may have some.

    ``may_be_decided``: something of it is left. ``is_stopped``: by a person.
    """

    rating: RatingFound
    attributes: tuple[Attribute, ...]
    wix_ids: Mapping[str, str]
    external_id: str | None
    behind: tuple[str, ...]
    held: tuple[HeldNow, ...]
    waiting: int
    open_write: str | None
    version: int
    may_be_decided: bool
    is_stopped: bool
    has_words: bool
    timeline: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class NotLinked:
    """A delivery without a rating. ``link_id``: it has one by now."""

    delivery: DeliveryFound
    link_id: int | None
    title: str
    sentence: str
    advice: str
    frees_itself: str
    timeline: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Ratings:
    """Every method checks the rights of ``who``. ``flower_url``: empty where nobody opens it."""

    stories: RatingStories
    flower_url: str = ""

    def one(self, who: Who, link_id: int) -> OneRating | None:
        """``None``: there is none, or not on a site of theirs. Raises Forbidden, Transient."""
        story = self.stories.of_rating(link_id, who.site_id)
        if story is None:
            return None
        who.check(Right.LOOK, story.row.site.id)
        row = story.row
        records = row.link.records
        external = records.get(Slot(Side.EXTERNAL))
        return OneRating(
            rating=rating_found(who, row),
            attributes=tuple(_attributes(story)),
            wix_ids={
                slot.attribute: known.remote_id
                for slot, known in records.items()
                if slot.side is Side.WIX
            },
            external_id=None if external is None else external.remote_id,
            behind=tuple(sorted(row.link.shadowed)),
            held=tuple(_held(story.deliveries)),
            waiting=row.open,
            open_write=_open_write(story),
            version=row.version,
            may_be_decided=not is_erased(row),
            is_stopped=STOPPED in row.held,
            has_words=row.site.wix_api is WixKind.REVIEWS,
            timeline=timeline(who, story, self.flower_url),
        )

    def delivery(self, who: Who, inbox_id: int) -> NotLinked | None:
        """A delivery without a rating; ``None``: there is none of theirs."""
        found = self.stories.of_delivery(inbox_id, who.site_id)
        if found is None:
            return None
        row, step, link_id = found
        who.check(Right.LOOK, None if row.site is None else row.site.id)
        delivery, known = delivery_found(row), hold_reason(row.reason)
        is_held = row.state is InboxState.HELD
        return NotLinked(
            delivery,
            link_id,
            known.title if is_held else "",
            known.sentence if is_held else "",
            known.advice if is_held else "",
            known.frees_itself if is_held else "",
            tuple(steps_of_delivery(step, self.flower_url))[::-1],
        )


def _attributes(story: RatingStory) -> Iterator[Attribute]:
    """The stars first, then further fields, then words."""
    row = story.row
    fields = {field.attribute: field for field in row.site.fields}
    names = [*fields, *sorted(set(row.link.bases) - set(fields))]
    for name in names:
        base = row.link.bases.get(name)
        wix = external = None
        if base is not None:
            wix, external = base.wix, base.external
        why = ""
        left = _left_different(story, name)
        if left is not None:
            wix, external, why = left
        is_same_as_base = base is not None and (wix, external) == (base.wix, base.external)
        if (wix, external) == (None, None) and base is None:
            continue
        field = fields.get(name)
        one_sided = (wix is None) != (external is None)
        yield Attribute(
            name=name,
            is_words=name in WORDS,
            wix=told(wix),
            external=told(external),
            base_wix=None if base is None else told(base.wix),
            base_external=None if base is None else told(base.external),
            wix_best=None if field is None else str(field.wix.maximum),
            external_best=None if field is None else str(field.external.maximum),
            differs=not is_same_as_base or one_sided,
            why=why or (said("Only one side has it.") if one_sided else ""),
        )


def _left_different(story: RatingStory, name: str) -> tuple[Value | None, Value | None, str] | None:
    """What both sides showed when a run last left them different, if nothing was written since."""
    for line in story.lines:
        entry = line.entry
        if entry.attribute != name or line.is_forgotten:
            continue
        if entry.what in LEFT and entry.side is None:
            return entry.before, entry.after, title_of(entry.reason)
        if entry.intent_id:
            return None
    return None


def _held(deliveries: Sequence[DeliveryStep]) -> Iterator[HeldNow]:
    for step in deliveries:
        if step.state is InboxState.HELD:
            known = hold_reason(step.reason)
            yield HeldNow(
                f"#{step.inbox_id}",
                step.inbox_id,
                str(step.side),
                step.reason,
                known.title,
                known.sentence,
                known.advice,
                known.frees_itself,
                step.received_at,
            )


def _open_write(story: RatingStory) -> str | None:
    """A write whose outcome is not known yet."""
    for intent, _ in story.intents:
        if str(intent.state) == "open":
            what = OPERATIONS.get(intent.operation, str(intent.operation))
            words = said("%(what)s on the other side: its answer is not known yet", what=what)
            if intent.slot.side is Side.WIX:
                words = said("%(what)s on Wix: its answer is not known yet", what=what)
            return sentence(words)
    return None
