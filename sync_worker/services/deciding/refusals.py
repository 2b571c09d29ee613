"""Why a decision is refused at once, in words for whoever asked.

DecisionRefused
├── UnknownRating    no such rating, or none of this person's site
├── UnknownLine      no such line of the history
├── RatingGone       erased, or deleted on both sides
├── RatingChanged    somebody changed it since; tells what is there now
├── StillDeciding    another decision is on its way
├── NotPossible      it cannot be done, whoever asks
└── BadChoice        the value is none of that side
"""

from __future__ import annotations

from sync_worker.core.ports.decisions import RatingOnFile
from sync_worker.core.said import joined, said


class DecisionRefused(Exception):
    """Nothing was stored. ``code``: a word for programs; ``words``: for whoever asked."""

    code = "refused"

    def __init__(self, words: str) -> None:
        self.words = words
        super().__init__(words)


class UnknownRating(DecisionRefused):
    """There is none, or it is of a site that the person has nothing to do with."""

    code = "unknown_rating"

    def __init__(self, link_id: int) -> None:
        super().__init__(
            said(
                "there is no rating r%(number)s; `ratings-sync history` shows their numbers",
                number=link_id,
            )
        )


class UnknownLine(DecisionRefused):
    """As UnknownRating, of a line of the history."""

    code = "unknown_line"

    def __init__(self, number: int) -> None:
        super().__init__(
            said("there is no line h%(number)s of the history (any more)", number=number)
        )


class RatingGone(DecisionRefused):
    """Nothing is there to decide about."""

    code = "rating_gone"


class RatingChanged(DecisionRefused):
    """Somebody changed it since the person looked. ``rating``: as it is on file now."""

    code = "rating_changed"

    def __init__(self, rating: RatingOnFile, what: str) -> None:
        self.rating = rating
        super().__init__(
            said(
                "%(what)s; now r%(number)s shows %(shown)s",
                what=what,
                number=rating.link_id,
                shown=words_of(rating),
            )
        )


class StillDeciding(DecisionRefused):
    """One at a time."""

    code = "still_deciding"

    def __init__(self, inbox_id: int) -> None:
        super().__init__(
            said(
                "another decision about this rating is on its way (#%(number)s); look again when"
                " it has ended",
                number=inbox_id,
            )
        )


class NotPossible(DecisionRefused):
    """It cannot be done, whoever asks."""

    code = "not_possible"


class BadChoice(DecisionRefused):
    """The value is none of that side."""

    code = "bad_choice"


def words_of(rating: RatingOnFile) -> str:
    """What is on file of both sides."""
    told = [
        said(
            "%(name)s %(wix)s on Wix, %(external)s outside",
            name=name,
            wix=_words(shown.wix),
            external=_words(shown.external),
        )
        for name, shown in sorted(rating.shown.items())
        if shown.wix is not None or shown.external is not None
    ]
    return joined("; ", told) or said("nothing")


def _words(value: object) -> str:
    if value is None:
        return said("nothing")
    return f"“{value[:40]}”" if isinstance(value, str) else str(value)
