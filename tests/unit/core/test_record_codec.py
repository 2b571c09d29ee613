"""A listed record says as a delivery what it said as a row."""

from __future__ import annotations

import pytest

from sync_worker.core.record_codec import (
    listed_payload,
    record_as_json,
    record_from_json,
    record_listed,
)
from sync_worker.remotes.wix.review_record import review_of
from tests.unit.signed import APP_ID, a_review


@pytest.mark.parametrize("by_app", [APP_ID, "another", None])
def test_listed_review_tells_whose_it_is(by_app: str | None) -> None:
    """An owner who rejects what we brought must not delete it at its source."""
    record = review_of(a_review(origin={"type": "APP", "appId": by_app}), APP_ID)
    told = record_listed(listed_payload(record))
    assert told is not None
    assert (told.is_ours, told.raw) == (record.is_ours, record.raw)


def test_row_of_an_earlier_version_tells_it_of_none() -> None:
    kept = record_as_json(review_of(a_review(), APP_ID))
    del kept["is_ours"]
    assert record_from_json(kept).is_ours is None
