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


class DecisionRefused(Exception):
    """Nothing was stored. ``code``: a word for programs."""

    code = "refused"


class UnknownRating(DecisionRefused):
    """There is none, or it is of a site that the person has nothing to do with."""

    code = "unknown_rating"

    def __init__(self, link_id: int) -> None:
        super().__init__(
            f"there is no rating r{link_id}; `ratings-sync history` shows their numbers"
        )


class UnknownLine(DecisionRefused):
    """As UnknownRating, of a line of the history."""

    code = "unknown_line"

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no line h{number} of the history (any more)")


class RatingGone(DecisionRefused):
    """Nothing is there to decide about."""

    code = "rating_gone"


class RatingChanged(DecisionRefused):
    """Somebody changed it since the person looked. ``rating``: as it is on file now."""

    code = "rating_changed"

    def __init__(self, rating: RatingOnFile, what: str) -> None:
        self.rating = rating
        super().__init__(f"{what}; now r{rating.link_id} shows {words_of(rating)}")


class StillDeciding(DecisionRefused):
    """One at a time."""

    code = "still_deciding"

    def __init__(self, inbox_id: int) -> None:
        super().__init__(
            f"another decision about this rating is on its way (#{inbox_id}); look again when it"
            " has ended"
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
        f"{name} {_words(shown.wix)} on Wix, {_words(shown.external)} outside"
        for name, shown in sorted(rating.shown.items())
        if shown.wix is not None or shown.external is not None
    ]
    return "; ".join(told) or "nothing"


def _words(value: object) -> str:
    if value is None:
        return "nothing"
    return f"“{value[:40]}”" if isinstance(value, str) else str(value)
