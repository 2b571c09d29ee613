"""Webhooks that come packed: unpacked within the limit, and bombs refused."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from sync_worker.core.unpacking import NotUnpackable, unpacked
from sync_worker.core.values import NewDelivery
from tests.integration.gateway_door import LIMIT, OWN, WIX, Rings, into, make_gateway
from tests.unit.signed import (
    a_token,
    acme_headers,
    an_external_body,
)


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
