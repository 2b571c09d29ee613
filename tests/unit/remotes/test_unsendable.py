"""What no header carries is a wrong setting, and is told without its value."""

from __future__ import annotations

import pytest

from sync_worker.core.errors import Misconfigured, Permanent, SyncError
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.client import RemoteHttp


def refusal(proof: dict[str, str], own: dict[str, str]) -> SyncError:
    remote = RemoteHttp(
        "https://shop.example",
        remote="external:shop",
        authorization=FixedHeaders(proof),
        budget=NoBudget(),
    )
    with pytest.raises(SyncError) as refused:
        remote.call(Call("GET", "reviews", "list", headers=own))
    assert "canary" not in str(refused.value)
    return refused.value


@pytest.mark.parametrize("value", ["canary\nabc", " canary", "canary\u201c", "canary\ud800"])
def test_credential_that_no_header_carries_is_misconfigured(value: str) -> None:
    error = refusal({"X-Token": value}, {})
    assert isinstance(error, Misconfigured)
    assert "X-Token" in str(error)


def test_header_name_that_no_call_carries_is_misconfigured() -> None:
    assert isinstance(refusal({"X Token\n": "canary"}, {}), Misconfigured)


def test_value_of_a_record_that_no_header_carries_concerns_it_alone() -> None:
    error = refusal({"X-Token": "a"}, {"X-Person": "canary\u201c"})
    assert isinstance(error, Permanent)
    assert not isinstance(error, Misconfigured)
    assert "X-Person" in str(error)
