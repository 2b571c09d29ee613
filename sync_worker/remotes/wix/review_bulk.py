"""Many reviews in one call: Bulk Create Review, which succeeds in part.

https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/bulk-create-review
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sync_worker.core.errors import Duplicate, Facts, Permanent, SyncError, UnknownOutcome
from sync_worker.core.numbers import whole_number
from sync_worker.core.outside_words import for_people
from sync_worker.core.values import Draft, Record
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.refusal_words import said_in
from sync_worker.remotes.wix.answers import inside, objects_in
from sync_worker.remotes.wix.api import WixApi
from sync_worker.remotes.wix.records import is_duplicate_code
from sync_worker.remotes.wix.review_drafts import new_review

OPERATION = "create_reviews"
MAX_FACT = 128


def create_many(
    api: WixApi, drafts: Sequence[Draft], read: Callable[[Any], Record], now: datetime
) -> list[Record | SyncError]:
    """What became of each draft, in their order. Raises UnknownOutcome for all of them."""
    if not drafts:
        return []
    reviews = [new_review(draft, now) for draft in drafts]
    answer = api.call(
        OPERATION,
        json={"reviews": reviews, "returnEntity": True},
        is_write=True,
        # Wix takes no idempotency key: what a lost answer made is found by looking.
        is_idempotent=False,
    )
    results = dict(_results_in(answer.body, len(drafts)))
    return [_outcome(results.get(place), sent, read) for place, sent in enumerate(reviews)]


def _results_in(body: Any, count: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each result with the place of its draft; what is in no form is told by its absence."""
    for result in objects_in(body, "results"):
        place = whole_number(inside(result, "itemMetadata", "originalIndex"))
        if place is not None and 0 <= place < count:
            yield place, result


def _outcome(
    result: Mapping[str, Any] | None, sent: Mapping[str, Any], read: Callable[[Any], Record]
) -> Record | SyncError:
    """What became of one draft; of what the answer does not tell, nothing is known."""
    success = inside(result, "itemMetadata", "success")
    if success is True:
        try:
            return read(inside(result, "review") or inside(result, "item"))
        except Permanent as unreadable:
            return UnknownOutcome(f"made, but its answer is no review: {unreadable.message}")
    if success is False:
        return _refusal(inside(result, "itemMetadata", "error"), sent)
    return UnknownOutcome("Wix did not say what became of it")


def _refusal(error: Any, sent: Mapping[str, Any]) -> SyncError:
    code = inside(error, "code")
    code = for_people(code)[:MAX_FACT] if isinstance(code, str) else ""
    # Without what we had sent: that is a person's.
    said = said_in(
        {"message": inside(error, "description")}, Call("POST", "", OPERATION, json=sent)
    )
    facts = Facts("wix", OPERATION, 200, code, said=said)
    if is_duplicate_code(code.upper()):
        return Duplicate(facts=facts)
    return Permanent("Wix refused this one of many", facts=facts)


def names_product(code: str) -> bool:
    """Whether an error may be about the product; which codes there are is not documented."""
    return any(part in code.upper() for part in ("PRODUCT", "ENTITY", "CATALOG"))
