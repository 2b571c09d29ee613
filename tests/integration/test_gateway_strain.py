"""The gateway while its ledger hangs or is away, and at hostile bytes: in time, never a 500."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_worker.core.errors import Transient
from sync_worker.core.ports.inbox import Stored
from sync_worker.core.values import NewDelivery
from tests.integration.gateway_door import (
    LIMIT,
    OWN,
    WIX,
    Gateway,
    Rings,
    gateway,
    into,
    make_gateway,
)
from tests.unit.signed import (
    a_token,
    a_wix_webhook,
    an_envelope,
    an_event,
    claims,
)
from webhook_gateway.group_commit import COMMITTERS
from webhook_gateway.settings import ANSWER_SECONDS

__all__ = ["gateway"]  # fixtures


def test_limit_holds_on_the_stream_when_no_length_is_named(gateway: Gateway) -> None:
    import io

    stream = io.BytesIO(b"x" * (LIMIT * 3))
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = gateway.client.post(WIX, input_stream=stream, environ_overrides=environ)
    assert answer.status_code == 413
    assert stream.tell() <= LIMIT + 1


def test_wrong_method_and_path_are_answered_without_a_trace(gateway: Gateway) -> None:
    assert gateway.client.get(WIX).status_code == 405
    assert gateway.client.get("/").status_code == 404


# -- what hangs or is away


def test_ledger_that_is_away_is_503_with_retry_after() -> None:
    def away(new: Sequence[NewDelivery]) -> Sequence[Stored]:
        raise Transient("the ledger's database did not answer")

    answer = make_gateway(away, Rings()).post(WIX, data=a_token())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


def test_ledger_that_hangs_is_503_within_the_time_that_wix_gives() -> None:
    """The answer is there while the ledger still hangs; how long it may take is a setting."""
    is_over = threading.Event()

    def hang(new: Sequence[NewDelivery]) -> Sequence[Stored]:
        is_over.wait(60)
        return [Stored(1, False)]

    answer = make_gateway(hang, Rings()).post(WIX, data=a_token())
    assert not is_over.is_set()
    assert answer.status_code == 503
    assert ANSWER_SECONDS < 1.25
    is_over.set()


def test_probe_of_a_ledger_that_hangs_is_answered_in_time() -> None:
    """A probe of a ledger that hangs is answered while it hangs and probes do not pile up."""
    is_over, asked = threading.Event(), []

    def hang() -> bool:
        asked.append(time.monotonic())
        return is_over.wait(60)

    client = make_gateway(lambda new: [Stored(1, False)], Rings(), is_ledger_up=hang)
    for _ in range(2):
        assert client.get("/readyz").status_code == 503
    assert not is_over.is_set()
    assert len(asked) == 1
    is_over.set()


def test_deliveries_behind_a_ledger_that_hangs_do_not_pile_up() -> None:
    """What was answered 503 before its turn came is not stored later: its sender sends it again."""
    is_over = threading.Event()
    tried: list[str | None] = []

    def hang(new: Sequence[NewDelivery]) -> Sequence[Stored]:
        tried.extend(one.dedupe_id for one in new)
        is_over.wait(60)
        return [Stored(1, False) for _ in new]

    client = make_gateway(hang, Rings(), answer_seconds=0.2)
    early = [f"early-{number}" for number in range(COMMITTERS + 3)]
    for event_id in early:
        webhook = a_wix_webhook(an_event(id=event_id))
        assert client.post(WIX, data=webhook).status_code == 503
    is_over.set()
    # The committers have come free once one is stored, however often it had to be sent.
    while client.post(WIX, data=a_token()).status_code != 200:
        pass
    assert len(set(early) & set(tried)) <= COMMITTERS


def test_error_that_nobody_foresaw_is_503_so_that_the_sender_tries_again() -> None:
    def broken(new: Sequence[NewDelivery]) -> Sequence[Stored]:
        raise ZeroDivisionError

    assert make_gateway(broken, Rings()).post(WIX, data=a_token()).status_code == 503


# -- never a 500

HEADERS = st.dictionaries(
    st.sampled_from(
        ["X-Acme-Signature", "webhook-id", "webhook-timestamp", "webhook-signature", "Content-Type"]
    ),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=80),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from([WIX, OWN]), body=st.binary(max_size=LIMIT + 10), headers=HEADERS)
def test_no_bytes_and_headers_cause_a_500(path: str, body: bytes, headers: dict[str, str]) -> None:
    answer = CLIENT.post(path, data=body, headers=headers)
    assert answer.status_code in (400, 401, 413)


TEXTS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=40)
    | st.lists(st.integers(), max_size=2)
)


@given(
    event=st.dictionaries(st.sampled_from(sorted(an_event())), TEXTS), instance=st.text(max_size=10)
)
def test_no_signed_event_causes_a_500(event: dict[str, object], instance: str) -> None:
    body = a_token(claims(an_envelope(an_event() | event, instanceId=instance)))
    assert CLIENT.post(WIX, data=body).status_code in (200, 401)


CLIENT = make_gateway(into([]), Rings(), bad_signatures_per_minute=10**9)
