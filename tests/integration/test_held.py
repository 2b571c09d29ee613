"""Held deliveries from the command line: found, looked at, released and dropped, with both sides as
they are now.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from redis import Redis

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.cli.options import actor
from sync_worker.config import load_settings
from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.values import Change, NewDelivery, Side
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring
from tests.integration.shell import ENTITIES, Shell

pytestmark = pytest.mark.any_redis


def hold(shell: Shell, reason: str, number: int, side: Side = Side.WIX) -> int:
    return shell.store(reason=reason, dedupe_id=f"event-{number}", side=side)


def held(shell: Shell, *words: str) -> list[int]:
    return [row["inbox_id"] for row in json.loads(shell.good("held", *words, "--json"))]


@pytest.mark.full
def test_held_deliveries_are_filtered_by_reason_side_site_and_time(site: Shell) -> None:
    first, second = hold(site, "refused", 1), hold(site, "no_email", 2)
    third = hold(site, "refused", 3, Side.EXTERNAL)
    assert held(site) == [first, second, third]
    assert held(site, "--reason", "refused") == [first, third]
    assert held(site, "--reason", "refused", "--side", "external") == [third]
    assert held(site, "--site", "own-service") == [first, second, third]
    assert held(site, "--since", "1h") == [first, second, third]
    assert held(site, "--since", "2999-01-01") == []
    assert site.run("held", "--since", "yesterday").returncode == 2


@pytest.mark.full
def test_release_by_reason_leaves_the_others_held(site: Shell) -> None:
    first, second = hold(site, "refused", 1), hold(site, "no_email", 2)
    assert json.loads(site.good("held", "release", "--reason", "refused", "--json"))[
        "released"
    ] == [first]
    assert held(site) == [second]


@pytest.mark.full
def test_release_of_what_is_not_held_is_told_and_ends_with_status_1(site: Shell) -> None:
    first = hold(site, "refused", 1)
    done = site.run("held", "release", str(first), "77")
    assert (done.returncode, held(site)) == (1, [])
    assert "not released, as unknown or on their way already: 77" in done.stderr


@pytest.mark.full
@pytest.mark.parametrize(
    "words", [("held", "release"), ("held", "drop", "--why", "no"), ("replay",)]
)
def test_reason_that_nothing_is_held_for_is_answered_with_those_that_are(
    site: Shell, words: tuple[str, ...]
) -> None:
    hold(site, "refused", 1)
    done = site.run(*words, "--reason", "refusd")
    assert (done.returncode, done.stdout) == (
        0,
        "0 deliveries are " + ("ended\n" if "drop" in words else "on their way\n"),
    )
    assert "nothing is held for the reason 'refusd'; held now: refused (1)" in done.stderr


@pytest.mark.full
@pytest.mark.parametrize(
    "words", [("release",), ("drop", "--why", "because"), ("drop", "--reason", "refused")]
)
def test_bulk_command_without_its_terms_is_refused_as_usage(
    site: Shell, words: tuple[str, ...]
) -> None:
    hold(site, "refused", 1)
    assert site.run("held", *words).returncode == 2
    assert len(held(site)) == 1


@pytest.mark.full
def test_dropped_delivery_is_over_and_its_reason_is_in_the_history(site: Shell) -> None:
    first, second = hold(site, "anonymous_visitor", 1), hold(site, "refused", 2)
    site.good("held", "drop", "--reason", "anonymous_visitor", "--why", "visitors stay on Wix")
    assert held(site) == [second]
    assert site.how()["deliveries"] == {"done": 1, "held": 1}
    (line,) = json.loads(site.good("history", "rating-1", "--json"))
    assert (line["what"], line["reason"]) == (
        "drop",
        f"anonymous_visitor: visitors stay on Wix, by {actor()}",
    )
    assert line["inbox_id"] == first
    assert json.loads(site.good("replay", str(first), "--json"))["replayed"] == [first], (
        "a dropped one can be replayed"
    )


def test_who_replayed_what_and_when_is_in_the_history_once(site: Shell) -> None:
    site.environ["SUDO_USER"] = "grace"
    first = hold(site, "refused", 1)
    for _ in range(2):
        site.run("replay", str(first))
    (line,) = json.loads(site.good("history", "rating-1", "--json"))
    grace = f"cli:grace@{socket.gethostname()}"
    assert (line["what"], line["reason"], line["inbox_id"], line["actor"]) == (
        "replay",
        f"refused, by {grace}",
        first,
        grace,
    )
    assert "grace" in site.good("history", "rating-1").splitlines()[-1].split("refused, by")[1]
    assert time.time() - 60 < datetime.fromisoformat(line["at"]).timestamp() <= time.time()


@pytest.fixture
def live(
    shell: Shell, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[tuple[Shell, Sandbox, Wiring]]:
    """A shell whose settings point at the stand-ins, with a site and a product."""
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        shell.environ |= box.settings() | {
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
        }
        shell.good("site", "add", box.wix.instance_id, "--connector", "own-service")
        shell.good(
            "map",
            "entities",
            "import",
            shell.file("e.csv", ENTITIES + "reviews,stores,beans,,SKU-1\n"),
        )
        wiring = Wiring(load_settings(shell.environ), shell.environ)
        yield shell, box, wiring
        wiring.close()


class SilentBell:
    def ring(self, inbox_ids: Any) -> None:
        return


def process(wiring: Wiring, side: Side, source: str, remote_id: str) -> int:
    """A webhook's way through the worker, waiting for the budget where it must."""
    inbox_id = wiring.ledger.inbox.store(
        NewDelivery(side, source, remote_id, Change.UPSERT, remote_id, {})
    ).inbox_id
    while wiring.intake(SilentBell()).process(inbox_id).kind is OutcomeKind.RATE_LIMITED:
        time.sleep(0.01)
    return inbox_id


@pytest.mark.full
def test_show_tells_both_sides_as_they_are_now_and_the_history(
    live: tuple[Shell, Sandbox, Wiring],
) -> None:
    shell, box, wiring = live
    contact = box.wix.add_contact("ada@example.com", "Ada")
    draft = {
        "subject": {"id": "SKU-1"},
        "author": {"email": "ada@example.com", "display_name": "Ada"},
        "headline": "Fine",
        "text": "Fine beans",
    }
    there = box.reviews.create(draft | {"score": Decimal("4.5")}, by="visitor")
    rating = {
        "namespace": "reviews",
        "group": "stores",
        "entityId": "beans",
        "attributeName": "overall",
        "value": 20,
    }
    here = box.wix.create_rating(
        rating | {"owner": {"contactId": contact["id"]}}, {"identityType": "MEMBER"}
    )
    shell.good("site", "policy", "first_difference=hold")
    number = process(wiring, Side.EXTERNAL, "own-service", str(there["id"]))
    assert held(shell, "--reason", "first_difference") == [number]
    box.wix.update_rating(str(here["id"]), 60, {"identityType": "MEMBER"})
    shown = json.loads(shell.good("held", "show", str(number), "--json"))
    assert "overall 60" in str(shown["now"]["wix"])
    assert "value 4.5" in str(shown["now"]["external"])
    assert "title “Fine”, body “Fine beans”" in str(shown["now"]["external"])
    assert shown["link"]["entity on external"] == "SKU-1"
    assert shown["history"]
    assert "overall 60" in shell.good("held", "show", str(number))


@pytest.mark.full
def test_show_waits_for_its_budget_where_no_redis_keeps_one(
    live: tuple[Shell, Sandbox, Wiring],
) -> None:
    """Before `up` runs each command has a budget of its own, and that starts empty."""
    shell, box, wiring = live
    there = box.reviews.create(
        {"subject": {"id": "SKU-1"}, "author": {"email": "eve@example.com"}, "score": Decimal(4)},
        by="visitor",
    )
    number = process(wiring, Side.EXTERNAL, "own-service", str(there["id"]))
    del shell.environ["REDIS_URL"]
    assert "value 4 by eve@example.com" in shell.good("held", "show", str(number))


@pytest.mark.full
def test_list_narrowed_to_nothing_does_not_say_that_nothing_is_held(site: Shell) -> None:
    """A list that is narrowed to nothing does not say that nothing is held."""
    hold(site, "refused", 1)
    assert "nothing that fits is held" in site.good("held", "--reason", "reused")


@pytest.mark.full
def test_show_of_an_unreachable_side_still_tells_the_rest(
    live: tuple[Shell, Sandbox, Wiring],
) -> None:
    shell, _, wiring = live
    new = NewDelivery(Side.EXTERNAL, "own-service", "event-1", Change.UPSERT, "r-1", {})
    inbox_id = wiring.ledger.inbox.store(new).inbox_id
    wiring.ledger.inbox.hold([inbox_id], "refused")
    shell.environ["OWN_SERVICE_URL"] = "http://127.0.0.1:9"
    assert "cannot be read now" in shell.good("held", "show", str(inbox_id))
    assert "record  none" in shell.good("held", "show", str(inbox_id))


@pytest.mark.full
def test_show_of_an_unknown_delivery_says_so(site: Shell) -> None:
    assert "there is no delivery 99" in site.bad("held", "show", "99")


@pytest.mark.full
def test_reasons_are_told_with_count_and_advice(site: Shell) -> None:
    hold(site, "refused", 1)
    told = site.good("held", "reasons")
    assert "The other side refuses it (refused): 1, the oldest of " in told
    assert "what to do: `held show` says what the remote said" in told
    (group,) = json.loads(site.good("held", "reasons", "--json"))
    assert (group["reason"], group["count"], group["is_more"]) == ("refused", 1, False)
    assert site.good("held", "reasons", "--side", "external") == "nothing is held\n"


@pytest.mark.full
def test_preview_of_a_release_changes_nothing(site: Shell) -> None:
    first = hold(site, "refused", 1)
    told = site.good("held", "release", "--reason", "refused", "--preview")
    assert told.startswith("Expected: 1 will be tried.\n  1 tried: it is sent again")
    assert held(site) == [first]


@pytest.mark.full
def test_tries_are_brought_forward(site: Shell) -> None:
    assert site.good("held", "try-now") == "0 deliveries are tried within seconds\n"
