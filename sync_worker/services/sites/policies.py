"""Policies of a site: asked, previewed and changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import said
from sync_worker.core.values import Policy, Site
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.console.held_counts import MAX_COUNTED, SqlHeldCounts
from sync_worker.services.access.who import Right, Who
from sync_worker.services.sites.questions import QUESTIONS, Question


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and how it is answered for a site."""

    question: Question
    chosen: str

    @property
    def is_default(self) -> bool:
        return self.chosen == self.question.default


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What an answer changes.

    ``held``: deliveries that wait since it was answered so, none counted beyond a bound.
    """

    name: str
    question: str
    before: str
    after: str
    words_before: str
    words_after: str
    held: int
    is_more_held: bool


@dataclass(frozen=True, slots=True)
class PolicyPreview:
    """What would change; nothing has changed yet."""

    site_id: int
    changes: Sequence[PolicyChange]


class Policies:
    """Each raises Forbidden, Misconfigured, Transient."""

    def __init__(self, admin: LedgerAdmin) -> None:
        self._admin, self._held = admin, SqlHeldCounts(admin.transactions)

    def asked(self, who: Who, site_id: int) -> list[Asked]:
        """Every question with its answer for a site."""
        who.check(Right.LOOK, site_id)
        policy = self._site(site_id).policy
        return [Asked(one, str(getattr(policy, one.name))) for one in QUESTIONS.values()]

    def preview(self, who: Who, site_id: int, changes: Mapping[str, str]) -> PolicyPreview:
        """What these answers change, in words, and how much waits for it now."""
        who.check(Right.POLICY, site_id)
        site = self._site(site_id)
        differing = _differing(site, changes)
        reasons = {reason for name in differing for reason in QUESTIONS[name].releases}
        held = self._held.by_reason(site, reasons)
        found = []
        for name, value in differing.items():
            question, before = QUESTIONS[name], str(getattr(site.policy, name))
            waiting = sum(held.get(reason, 0) for reason in question.releases)
            words = question.words_of(before), question.words_of(value)
            is_more = waiting >= MAX_COUNTED
            found.append(
                PolicyChange(name, question.words, before, value, *words, waiting, is_more)
            )
        return PolicyPreview(site_id, found)

    def change(self, who: Who, site_id: int, changes: Mapping[str, str], why: str = "") -> Site:
        """They count from the next look at each rating; what is held stays so until released."""
        who.check(Right.POLICY, site_id)
        return self._admin.sites.set_policy(site_id, changes, who.name, why)

    def _site(self, site_id: int) -> Site:
        return self._admin.sites.find(str(site_id))


def _differing(site: Site, changes: Mapping[str, str]) -> dict[str, str]:
    """Those that change something. Raises Misconfigured for what may not be chosen."""
    for name, value in changes.items():
        choices = Policy.CHOICES.get(name)
        if choices is None:
            raise Misconfigured(said("there is no policy %(name)s", name=repr(name[:64])))
        if value not in choices:
            raise Misconfigured(
                said(
                    "policy %(name)s cannot be %(value)s; choose one of: %(choices)s",
                    name=name,
                    value=repr(value[:64]),
                    choices=", ".join(choices),
                )
            )
    return {
        name: value for name, value in changes.items() if value != str(getattr(site.policy, name))
    }
