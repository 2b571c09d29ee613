"""What programs ask with: the fields of queries and bodies, and their bounds."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from sync_console.web.numbers import MAX_NUMBER
from sync_worker.core.values import Side, SiteState
from sync_worker.services.ratings.search import Standing
from sync_worker.services.sites.mapping import WAYS, By
from sync_worker.services.sites.sites import SiteTrouble

KEY = re.compile(r"[\x21-\x7e]{1,255}")
MAX_ID = 999_999_999_999
MAX_AT_ONCE = 1000
YEARS = (1970, 9000)

# No database keeps a NUL in a text.
Word = Annotated[str, StringConstraints(max_length=320, pattern=r"^[^\x00]*$")]
Name = Annotated[Word, StringConstraints(max_length=128)]
Why = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
Long = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
SiteId = Annotated[int, Field(ge=0, le=MAX_ID)]
After = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Number = Annotated[int, Field(ge=1, le=MAX_NUMBER)]


def _of_our_time(at: datetime) -> datetime:
    """The first and the last days of all have no time in UTC, or none in seconds."""
    if not YEARS[0] <= at.year < YEARS[1]:
        raise ValueError(f"name a year from {YEARS[0]} to {YEARS[1] - 1}")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_of_our_time)]


class Nothing(BaseModel):
    """No fields."""

    model_config = ConfigDict(extra="forbid")


class OfSite(Nothing):
    site_id: SiteId | None = None


class WhichHeld(Nothing):
    """Which held ones. ``older_days``: held for so many days at least."""

    site_id: SiteId | None = None
    reason: Word | None = None
    side: Side | None = None
    older_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    person: Word = ""
    product: Word = ""


class HeldRowsAsked(WhichHeld):
    after: After = 0


class WhichRatings(OfSite):
    """``q``: an address, a name, a product, any id of either side, or a number that we print."""

    q: Word = ""
    state: Standing | None = None
    differs: bool = False
    product: Word | None = None
    changed_since: Moment | None = None
    after: After | None = None


class WhichLines(OfSite):
    """``kinds``: words of the history, with commas; ``by_people``: what people did alone."""

    actor: Word | None = None
    kinds: Word = ""
    by_people: bool = False
    overwritten: bool = False
    since: Moment | None = None
    after: After | None = None


class WhichSites(Nothing):
    """``name``: the beginning of an instance id; ``in_trouble``: those alone."""

    name: Word | None = None
    state: SiteState | None = None
    connector: Word | None = None
    in_trouble: bool = False
    trouble: SiteTrouble | None = None
    after: Word = ""


class WhichMaps(Nothing):
    """``word``: an id of either side or a title, whole."""

    word: Word = ""
    after: After = 0


class WhichAudit(OfSite):
    actor: Word = ""
    what: Word = ""
    after: After | None = None


class AfterNumber(Nothing):
    after: After = 0


class HeldAct(WhichHeld):
    """``numbers``: these; or all of a reason, ``count`` of them at most."""

    numbers: Annotated[list[Number], Field(min_length=1, max_length=500)] | None = None
    count: Annotated[int, Field(ge=1, le=MAX_AT_ONCE)] | None = None
    why: Why = ""


class ChosenSide(Nothing):
    """Both sides are to show what ``side`` shows, of these held ones."""

    numbers: Annotated[list[Number], Field(min_length=1, max_length=500)]
    side: Side
    why: Why


class GivenProduct(Nothing):
    """The product on the side that does not know it yet; ``group``: where that side has some."""

    entity_id: Annotated[Word, StringConstraints(min_length=1, max_length=256)]
    group: Annotated[Word, StringConstraints(max_length=128)] = ""
    why: Why = ""


class GivenContact(Nothing):
    """The contact on Wix, and the address that it is known by."""

    contact_id: Annotated[Word, StringConstraints(min_length=1, max_length=64)]
    address: Word = ""
    why: Why = ""


class Pairs(Nothing):
    """Numbers of pairs that the catalogues propose."""

    numbers: Annotated[list[Number], Field(min_length=1, max_length=500)]


class AllPairs(Nothing):
    """All open pairs, or those by ``ways``. ``count``: how many were seen, where it matters."""

    ways: Annotated[list[By], Field(min_length=1, max_length=3)] = Field(
        default_factory=lambda: list(WAYS)
    )
    count: Annotated[int, Field(ge=0, le=MAX_NUMBER)] | None = None


class Because(Nothing):
    why: Why = ""


class Make(Because):
    """What both sides are to show, as ``side`` has it. ``version``: of the rating that was seen."""

    side: Side
    values: dict[Word, Decimal] = Field(default_factory=dict, max_length=20)
    words: dict[Word, Long] = Field(default_factory=dict, max_length=5)
    version: int | None = Field(default=None, ge=0, le=MAX_NUMBER)


class Pause(Because):
    """Until a time, or for so many seconds; without either until somebody resumes it.

    ``state``: of the site as it was seen.
    """

    until: Moment | None = None
    seconds: Annotated[float, Field(gt=0, le=31_622_400)] | None = None
    state: SiteState | None = None


class Resume(Because):
    """``state``: of the site as it was seen."""

    state: SiteState | None = None


class PolicyAnswers(Because):
    """Answers by the names of policies. ``seen``: the answers that were seen, where it matters."""

    policies: dict[Word, Word] = Field(min_length=1, max_length=50)
    seen: dict[Word, Word] = Field(default_factory=dict, max_length=50)


class MapsFile(Because):
    """``csv``: as `ratings-sync map entities import` takes it; taken whole or not at all."""

    csv: Annotated[str, StringConstraints(min_length=1, max_length=1_500_000)]


class MapGone(Because):
    """``id``: of the map, as the list of maps says."""

    id: Number
