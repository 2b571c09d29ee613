"""What programs ask with about accounts, first steps, comparisons and people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from sync_console.api.asked import After, Because, Name, Nothing, OfSite
from sync_console.web.numbers import MAX_NUMBER
from sync_worker.services.accounts.forms import MAX_VALUE
from sync_worker.services.comparing import MAX_DELETES
from sync_worker.services.onboarding.steps import Step

Version = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Value = Annotated[str, StringConstraints(max_length=MAX_VALUE, pattern=r"^[^\x00]*$")]
Values = Annotated[dict[Name, Value], Field(max_length=50)]


class AsSeen(Nothing):
    """``version``: of what was seen; if it is another one now, nothing is done."""

    version: Version | None = None


class WhichSettings(Nothing):
    """``connector``: of a site that has no account yet, where there is more than one."""

    connector: Name = ""


class GivenAccount(Nothing):
    """``values``: by the names that the account's settings declare.

    ``is_same_shop``: it is the shop that the site's links are of, under another address.
    """

    connector: Annotated[Name, StringConstraints(min_length=1)]
    values: Values
    is_same_shop: bool = False


class ChangedAccount(AsSeen):
    """``values``: those that differ; an empty one is left out from now on, a secret stays."""

    values: Values = Field(min_length=1)
    is_same_shop: bool = False


class PausedAccount(Because):
    version: Version | None = None


class EndedAccount(Because):
    """``name``: the account's connector, to show that it is meant."""

    name: Name
    version: Version | None = None


class Confirmed(Nothing):
    """``confirm``: the step that is said yes to; it has to be the next one."""

    confirm: Step | None = None


class OneStep(Nothing):
    step: Step


class LeftOut(Because):
    """``step``: the next one, as it was seen."""

    step: Step


class WhichRuns(OfSite):
    after: After | None = None


class AfterRun(Nothing):
    after: After | None = None


class Compare(Because):
    """``allow_deletes``: so many deletes are right, for a day: as many as the brake holds now.

    ``seen``: which ones, as ``braked_seen`` of the site's comparisons said.
    """

    allow_deletes: Annotated[int, Field(ge=1, le=MAX_DELETES)] | None = None
    seen: Annotated[str, Field(max_length=64)] = ""


class Invited(Nothing):
    name: Name
    role: Literal["viewer", "support", "admin"]


class NewRole(AsSeen):
    role: Literal["viewer", "support", "admin"]
