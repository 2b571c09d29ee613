"""What both sides are to show, in the units of one of them; checked against the mapped fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sync_worker.core.ports.decisions import RatingOnFile
from sync_worker.core.said import said
from sync_worker.core.scale import FieldMap, OffScale
from sync_worker.core.values import Side, Value, WixKind
from sync_worker.core.values.texts import BODY, TITLE, storable
from sync_worker.services.deciding.refusals import BadChoice, NotPossible

MAX_WORDS = 20_000  # characters of a text
SAYABLE = (TITLE, BODY)


@dataclass(frozen=True, slots=True)
class Choice:
    """``values``: stars by attribute, in the units of ``side``; ``words``: title, body."""

    side: Side
    values: Mapping[str, Decimal] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)


def chosen_values(choice: Choice, rating: RatingOnFile) -> dict[str, Value]:
    """The values of a choice. Raises BadChoice, NotPossible."""
    if not choice.values and not choice.words:
        raise BadChoice(said("say what both sides are to show: stars, or words"))
    fields = {one.attribute: one for one in rating.site.fields}
    for name, value in choice.values.items():
        check_value(fields, name, choice.side, value)
    for name, text in choice.words.items():
        _check_words(rating, name, text)
    words = {name: storable(text) for name, text in choice.words.items()}
    values: dict[str, Value] = {**choice.values, **words}
    check_direction(rating, fields, choice.side, values)
    return values


def check_value(fields: Mapping[str, FieldMap], name: str, side: Side, value: Decimal) -> None:
    """Raises BadChoice."""
    mapped = fields.get(name)
    if mapped is None:
        known = ", ".join(sorted(fields)) or said("none")
        raise BadChoice(
            said(
                "%(name)s is not mapped for this site; mapped: %(known)s",
                name=repr(name),
                known=known,
            )
        )
    scale = mapped.wix if side is Side.WIX else mapped.external
    try:
        scale.index(value)
        mapped.carried(side.other, value, None)
    except OffScale:
        raise BadChoice(
            said(
                "%(value)s is not on the scale of %(name)s on %(side)s: %(scale)s",
                value=value,
                name=name,
                side=_side_words(side),
                scale=scale,
            )
        ) from None


def _side_words(side: Side) -> str:
    return "Wix" if side is Side.WIX else said("the external side")


def _check_words(rating: RatingOnFile, name: str, text: str) -> None:
    if rating.site.wix_api is not WixKind.REVIEWS:
        raise NotPossible(
            said(
                "this site keeps its ratings in Wix Ratings, which has no words; only stars can be"
                " made the same"
            )
        )
    if name not in SAYABLE:
        raise BadChoice(
            said(
                "%(name)s is none of the words of a review: %(known)s",
                name=repr(name),
                known=", ".join(SAYABLE),
            )
        )
    if len(text) > MAX_WORDS:
        raise BadChoice(
            said(
                "%(name)s has %(num)s characters, and %(most)s at most",
                name=name,
                num=len(text),
                most=MAX_WORDS,
            )
        )


def check_direction(
    rating: RatingOnFile, fields: Mapping[str, FieldMap], side: Side, values: Mapping[str, Value]
) -> None:
    """Raises NotPossible: by policy one side is never written to, and it shows something else."""
    policy = rating.site.policy
    for target in Side:
        if policy.may_write(target):
            continue
        for name, value in values.items():
            if not _shows(rating, fields, name, target, (side, value)):
                raise NotPossible(
                    said(
                        "by policy direction=%(direction)s nothing is written to %(side)s; change"
                        " %(name)s there, or the policy",
                        direction=policy.direction,
                        side=_side_words(target),
                        name=name,
                    )
                )


def _shows(
    rating: RatingOnFile,
    fields: Mapping[str, FieldMap],
    name: str,
    target: Side,
    wanted: tuple[Side, Value],
) -> bool:
    """Whether a side shows what is wanted already."""
    side, value = wanted
    shown = rating.shown.get(name)
    now = None if shown is None else shown.on(target)
    if side is target or not isinstance(value, Decimal) or not isinstance(now, Decimal):
        return now == value
    wix, external = (now, value) if target is Side.WIX else (value, now)
    try:
        return fields[name].agree(wix, external)
    except OffScale:
        return False
