"""What the door answers, and what it has stored by then."""

from __future__ import annotations

import gzip
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from sync_worker.core.errors import Transient
from sync_worker.core.ports.inbox import Stored
from sync_worker.core.unpacking import NotUnpackable, unpacked
from sync_worker.core.values import NewDelivery
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.manifest.loader import load_manifest, shipped_manifest
from sync_worker.remotes.wix.public_keys import load_public_keys
from sync_worker.telemetry import metrics
from sync_worker.telemetry.exposition import exposition
from tests.unit.signed import (
    APP_ID,
    OWN_SERVICE,
    a_token,
    a_wix_webhook,
    acme_headers,
    an_envelope,
    an_event,
    an_external_body,
    claims,
    pem,
)
from tests.unit.webhook_gateway import test_external_webhook, test_wix_webhook
from webhook_gateway.app import create_app
from webhook_gateway.group_commit import COMMITTERS, Store
from webhook_gateway.settings import ANSWER_SECONDS, GatewayConfig

WIX, OWN = "/webhooks/wix", "/webhooks/external/own-service"
LIMIT = 4096


@dataclass
class Rings:
    """A doorbell that remembers."""

    rung: list[int] = field(default_factory=list)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.rung += inbox_ids


def into(stored: list[NewDelivery]) -> Store:
    """A ledger that takes everything."""

    def store(new: Sequence[NewDelivery]) -> Sequence[Stored]:
        stored.extend(new)
        return [Stored(1, False) for _ in new]

    return store


@dataclass
class Gateway:
    client: FlaskClient
    ledger: SqlLedger
    bell: Rings

    def wix(self, body: bytes | None = None) -> tuple[int, str]:
        answer = self.client.post(WIX, data=a_token() if body is None else body)
        return answer.status_code, answer.get_json().get("result", "")


def make_gateway(store: Store, bell: Rings, **changes: object) -> FlaskClient:
    config = GatewayConfig(
        wix_keys=load_public_keys(pem()),
        wix_app_id=APP_ID,
        manifests={"own-service": load_manifest(shipped_manifest("own-service"), OWN_SERVICE)},
        store=store,
        bell=bell,
        max_body_bytes=LIMIT,
        **({"is_ledger_up": lambda: True} | changes),  # type: ignore[arg-type]  # as one dict
    )
    return create_app(config).test_client()


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    ledger, bell = sql_ledger(engine), Rings()
    yield Gateway(make_gateway(ledger.inbox.store_all, bell), ledger, bell)
    engine.dispose()


def test_delivery_is_committed_before_the_answer_and_the_doorbell(
    gateway: Gateway,
) -> None:
    """A delivery is committed before the answer and then the doorbell rings."""
    assert gateway.wix() == (200, "stored")
    (inbox_id,) = gateway.bell.rung
    opened = gateway.ledger.inbox.open_delivery(inbox_id)
    assert opened is not None
    assert opened[0].new.remote_id == "rating-1"


def test_flood_of_one_site_is_rung_for_after_the_webhooks_of_others() -> None:
    """Each site has its share of the doorbell; the rest of one that sends more comes after."""
    bell, after = Rings(), list[int]()
    numbers = iter(range(1000))

    def store(new: Sequence[NewDelivery]) -> Sequence[Stored]:
        return [Stored(next(numbers), False) for _ in new]

    client = make_gateway(store, bell, ring_after_others=after.extend)
    for number in range(60):
        body = an_external_body(id=f"r-{number}")
        client.post(OWN, data=body, headers=acme_headers(body))
    assert 16 <= len(bell.rung) < 40
    assert len(bell.rung) + len(after) == 60
    client.post(WIX, data=a_token())
    assert bell.rung[-1] == 60, "another site's goes first"


def test_duplicate_is_answered_200_and_rings_no_more(gateway: Gateway) -> None:
    token = a_token()
    assert [gateway.wix(token), gateway.wix(token)] == [(200, "stored"), (200, "duplicate")]
    assert len(gateway.bell.rung) == 1


def test_event_of_an_unknown_instance_is_stored(gateway: Gateway) -> None:
    assert gateway.wix(a_wix_webhook(an_event(), instanceId="instance-9")) == (200, "stored")


def test_event_of_an_unknown_type_is_answered_200(
    gateway: Gateway,
) -> None:
    """An event of an unknown type and the dashboard's test event are answered 200."""
    assert gateway.wix(a_wix_webhook(an_event(entityFqdn="wix.forms.v4.submission"))) == (
        200,
        "ignored",
    )
    assert gateway.wix(a_token(claims({"eventType": "x", "data": "{}"}))) == (200, "ignored")
    assert gateway.ledger.inbox.count_open() == 0


def test_external_delivery_is_stored(gateway: Gateway) -> None:
    body = an_external_body()
    answers = [
        gateway.client.post(OWN, data=body, headers=acme_headers(body)).get_json() for _ in range(2)
    ]
    assert [answer["result"] for answer in answers] == ["stored", "duplicate"]


def test_unknown_connector_is_404(gateway: Gateway) -> None:
    assert gateway.client.post("/webhooks/external/nobody", data=b"x").status_code == 404


@pytest.mark.parametrize("variant", sorted(set(test_wix_webhook.FORGED) - {"empty"}))
def test_forged_wix_request_is_answered_401_and_nothing_is_stored(variant: str) -> None:
    stored: list[NewDelivery] = []
    client = make_gateway(into(stored), Rings())
    body = test_wix_webhook.FORGED[variant]()
    answer = client.post(WIX, data=body)
    assert answer.status_code == (413 if len(body) > LIMIT else 401)
    assert stored == []


@pytest.mark.parametrize("variant", sorted(test_external_webhook.UNREADABLE))
def test_signed_request_that_cannot_be_read_is_422_with_the_reason(
    variant: str,
) -> None:
    """A signed request that the manifest cannot read is answered 422 with the reason."""
    stored: list[NewDelivery] = []
    client = make_gateway(into(stored), Rings())
    body, headers = test_external_webhook.UNREADABLE[variant]()
    answer = client.post(OWN, data=body, headers=headers)
    assert (
        answer.status_code,
        answer.get_json()["reason"] in ("no_json", "malformed"),
        stored,
    ) == (422, True, [])


@pytest.mark.parametrize("variant", sorted(test_external_webhook.FORGED))
def test_forged_external_request_is_answered_401_and_nothing_is_stored(variant: str) -> None:
    stored: list[NewDelivery] = []
    client = make_gateway(into(stored), Rings())
    body, headers = test_external_webhook.FORGED[variant]()
    latin = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    assert client.post(OWN, data=body, headers=latin).status_code == 401
    assert stored == []


def test_empty_body_is_400_and_a_large_one_413(gateway: Gateway) -> None:
    assert gateway.client.post(WIX, data=b"").status_code == 400
    assert gateway.client.post(WIX, data=b"x" * (LIMIT + 1)).status_code == 413


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_unknown_coding_is_415_that_names_the_coding(coding: str) -> None:
    client = make_gateway(into([]), Rings())
    for path in (WIX, OWN):
        answer = client.post(path, data=b"x", headers={"Content-Encoding": coding})
        assert answer.status_code == 415
        assert answer.headers["Accept-Encoding"] == "gzip, deflate, identity"
        assert coding in answer.get_json()["error"]
    plain = client.post(WIX, data=b"x", headers={"Content-Encoding": "identity"})
    assert plain.status_code == 401


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def two_members(body: bytes) -> bytes:
    return gzip.compress(body[:50]) + gzip.compress(body[50:])


PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip, written large": (" X-GZIP ", gzip.compress),
    "two members of gzip": ("gzip", two_members),
    "deflate": ("deflate", zlib.compress),
    "deflate without its frame": ("deflate", raw_deflate),
}


@pytest.mark.parametrize("signs", ["what it sends", "what it packed"])
@pytest.mark.parametrize("form", PACKED)
def test_compressed_webhook_is_stored_unpacked(form: str, signs: str) -> None:
    stored: list[NewDelivery] = []
    client = make_gateway(into(stored), Rings())
    (coding, pack), body = PACKED[form], an_external_body()
    packed = pack(body)
    signed = acme_headers(packed if signs == "what it sends" else body)
    headers = {"Content-Encoding": coding, **signed}
    assert client.post(OWN, data=packed, headers=headers).get_json() == {"result": "stored"}
    assert client.post(OWN, data=body, headers=acme_headers(body)).status_code == 200
    assert stored[0] == stored[1]


@pytest.mark.parametrize("form", PACKED)
def test_compressed_wix_webhook_is_stored(form: str) -> None:
    stored: list[NewDelivery] = []
    client = make_gateway(into(stored), Rings())
    coding, pack = PACKED[form]
    packed, headers = pack(a_token()), {"Content-Encoding": coding}
    assert client.post(WIX, data=packed, headers=headers).get_json() == {"result": "stored"}
    assert [delivery.remote_id for delivery in stored] == ["rating-1"]


BROKEN_PACKINGS: dict[str, tuple[bytes, int]] = {
    "not packed at all": (b"{}", 400),
    "cut off": (gzip.compress(b"{}")[:-6], 400),
    "wrong check sum": (gzip.compress(b"{}")[:-8] + b"\0" * 8, 400),
    "something behind it": (gzip.compress(b"{}") + b"more", 400),
    "nothing inside": (gzip.compress(b""), 400),
    "bomb": (gzip.compress(b" " * 3_000_000), 413),
    "one byte above the limit": (gzip.compress(b" " * (LIMIT + 1)), 413),
}


@pytest.mark.parametrize("kind", BROKEN_PACKINGS)
def test_broken_packing_is_400_and_a_bomb_413(kind: str) -> None:
    """And the largest that may come is no bomb: its signature is looked at."""
    stored: list[NewDelivery] = []
    client = make_gateway(into(stored), Rings())
    packed, status = BROKEN_PACKINGS[kind]
    for path in (WIX, OWN):
        answer = client.post(path, data=packed, headers={"Content-Encoding": "gzip"})
        assert (answer.status_code, answer.get_json().keys()) == (status, {"error"})
    largest = gzip.compress(b" " * LIMIT)
    answer = client.post(OWN, data=largest, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, stored) == (401, [])


def test_bomb_takes_no_more_memory_than_a_plain_body_of_the_limit() -> None:
    bomb, limit = gzip.compress(b" " * 30_000_000), 262_144
    tracemalloc.start()
    try:
        assert len(unpacked(bomb, "gzip", limit + 1)) == limit + 1
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * limit


def test_body_of_thousands_of_empty_members_is_given_up() -> None:
    """What follows each is copied: 13,000 of them would cost a second."""
    with pytest.raises(NotUnpackable):
        unpacked(gzip.compress(b"") * 13_000, "gzip", 262_144)


def test_forged_compressed_webhook_is_401() -> None:
    client, body = make_gateway(into([]), Rings()), an_external_body()
    forged = acme_headers(body, secret="another")
    headers = {"Content-Encoding": "gzip", **forged}
    assert client.post(OWN, data=gzip.compress(body), headers=headers).status_code == 401


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


# -- too many forgeries


@contextmanager
def heard() -> Iterator[list[Any]]:
    """The lines of the log, which other tests are quiet about."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.BoundLogger)
    try:
        with capture_logs() as lines:
            yield lines
    finally:
        structlog.configure(wrapper_class=before)


def test_sender_of_many_forgeries_fills_no_log(
    gateway: Gateway,
) -> None:
    """A sender of many forgeries fills no log and what verifies is never refused."""
    client = make_gateway(gateway.ledger.inbox.store_all, gateway.bell, bad_signatures_per_minute=3)
    with heard() as lines:
        answers = [client.post(WIX, data=b"forged") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {401}
    told = [line["event"] for line in lines]
    assert told == ["delivery_rejected"] * 3 + ["rejections_limited"]
    assert client.post(WIX, data=a_token()).get_json() == {"result": "stored"}


# -- metrics


def test_metrics_are_closed_without_a_token_and_open_to_it_alone(gateway: Gateway) -> None:
    assert gateway.client.get("/metrics").status_code == 404
    client = make_gateway(
        gateway.ledger.inbox.store_all, gateway.bell, metrics_token="a-long-token-of-metrics"
    )
    for header in (
        None,
        "Bearer ",
        "Bearer wrong",
        "a-long-token-of-metrics",
        "Bearer a-long-token-of-metricsx",
        "Bearer ä",
    ):
        headers = {} if header is None else {"Authorization": header}
        assert client.get("/metrics", headers=headers).status_code == 404
    answer = client.get("/metrics", headers={"Authorization": "Bearer a-long-token-of-metrics"})
    assert answer.status_code == 200
    assert b"ratings_sync_gateway_requests_total" in answer.data


def test_every_end_of_a_webhook_is_counted_once(gateway: Gateway) -> None:
    def counted() -> dict[str, float]:
        samples = next(iter(metrics.gateway_requests.collect())).samples
        return {
            one.labels["result"]: one.value
            for one in samples
            if one.name.endswith("_total") and one.labels["source"] == "wix"
        }

    before = counted()
    token = a_token()
    for body in (token, token, b"", b"x" * (LIMIT + 1), b"forged"):
        gateway.client.post(WIX, data=body)
    after = counted()
    grown = {
        name: after[name] - before.get(name, 0)
        for name in after
        if after[name] != before.get(name, 0)
    }
    assert grown == {"stored": 1, "duplicate": 1, "malformed": 1, "too_large": 1, "rejected": 1}


def test_answer_names_its_request_so_that_it_can_be_found_in_the_log(gateway: Gateway) -> None:
    names = [gateway.client.post(WIX, data=b"x").headers["X-Request-Id"] for _ in range(2)]
    assert names[0] != names[1]
    assert all(len(name) == 32 for name in names)


def test_unknown_connector_and_path_are_counted_and_logged() -> None:
    """A webhook that is set up wrongly leaves a line and a count; a flood leaves few lines."""
    notes: list[tuple[str, str, str]] = []
    client = make_gateway(
        into([]),
        Rings(),
        note_door=lambda *note: notes.append(note),
        bad_signatures_per_minute=3,
    )
    with heard() as lines:
        for _ in range(50):
            assert client.post("/webhooks/external/own-servce", data=b"{}").status_code == 404
        assert client.post("/webhook/wix", data=b"x").status_code == 404
        assert client.get(WIX).status_code == 405
    unknown = [line for line in lines if line["event"] == "webhook_unknown"]
    assert len(unknown) == 3
    assert unknown[0]["why"] == "unknown_connector"
    assert unknown[0]["path"] == "/webhooks/external/own-servce"
    assert notes.count(("(unknown)", "unknown_connector", "")) == 50
    assert notes.count(("(unknown)", "unknown_path", "")) == 2


def test_path_of_a_stranger_is_harmless_in_the_log() -> None:
    client = make_gateway(into([]), Rings())
    with heard() as lines:
        client.post("/webhooks/external/" + "%1b[31m%0a\u2028" + "x" * 500, data=b"{}")
    (line,) = [line for line in lines if line["event"] == "webhook_unknown"]
    assert line["path"].startswith("/webhooks/external/?")
    assert len(line["path"]) == 80


def test_every_end_at_the_door_is_noted_for_the_ledger() -> None:
    notes: list[tuple[str, str, str]] = []
    client = make_gateway(into([]), Rings(), note_door=lambda *note: notes.append(note))
    body = an_external_body()
    client.post(OWN, data=body, headers=acme_headers(body))
    client.post(OWN, data=body, headers={})
    client.post(WIX, data=b"no token")
    client.post(WIX, data=b"")
    assert notes == [
        ("own-service", "stored", ""),
        ("own-service", "rejected", "bad_signature"),
        ("wix", "rejected", "DecodeError"),
        ("wix", "malformed", ""),
    ]


def test_series_of_the_door_exist_before_the_first_request() -> None:
    """A series that is born at 1 shows no increase: no alert would see the first event."""
    make_gateway(into([]), Rings())
    text = exposition().decode()
    for result in ("stored", "rejected", "unreadable", "ledger_down"):
        for source in ("wix", "own-service"):
            assert f'requests_total{{result="{result}",source="{source}"}}' in text
    assert 'requests_total{result="unknown_connector",source="(unknown)"}' in text
