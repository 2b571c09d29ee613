"""What a command and an endpoint both answer has the same keys, of the same types.

The table of docs/api.md says which, and what older names a command has besides: each row of it is
tried here, on one ledger.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from sync_worker.core.sweep_values import RunKind
from sync_worker.ledger.accounts.sealing import new_key, public_of
from sync_worker.ledger.accounts.tables import audit
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.ledger.tables import history, inbox
from tests.integration.console.both import WHY, Both
from tests.integration.console.ground import ground_over
from tests.integration.console.held_shop import HeldShop
from tests.integration.console.programs import program
from tests.integration.console.scenes_of_files import SCENES_OF_FILES, sent_by_own_preset
from tests.integration.console.scenes_of_maps import ALONE_SCENES, SCENES_OF_MAPS
from tests.integration.console.scenes_of_sites import SCENES_OF_SITES
from tests.integration.console.table_of_keys import ALONE, PAIRS, breaches
from tests.integration.console.two_sites import two_sites
from tests.integration.shell import shell_in
from tests.unit.manifest.test_settings import SMALL, written

pytestmark = pytest.mark.full

# These only say what would happen.
LOOKS = {"site policy --preview"}
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# These ask live systems, or print what `onboard status` and `account show` print.
AS_ANOTHER = {"onboard run", "onboard skip", "onboard again", "account pause", "account list"}
# They need live systems: the tests of these commands try them.
ELSEWHERE = {"reconcile"}
ALONE_ELSEWHERE = {"import", "map contacts match"}


@pytest.fixture(scope="module")
def both(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    url = f"sqlite:///{folder / 'ledger.db'}"
    (folder / "ledger.db").write_bytes(sqlite_template.read_bytes())
    environ = {
        "DATABASE_URL": url,
        "CONNECTORS": str(written(folder, SMALL)),
        "SECRETS_SEALING_KEY": public_of(new_key()),
        "GATEWAY_PUBLIC_URL": "https://door.example",
        "RATINGS_SYNC_HOME": str(folder),
    }
    shell = shell_in(folder)
    shell.environ |= environ
    with ground_over(**{"url": url} | environ) as ground:
        ids = two_sites(ground).other
        site_3 = ground.admin.sites.add("instance-3", "", [])[0]
        given = {"base_url": "https://s.example", "token": "t", "hook_secret": "s", "region": "eu"}
        ground.parts.accounts.add(site_3, "small-shop", given, "test")
        asker = program(ground)
        yield Both(ground, shell, asker, HeldShop(ground.admin, "b-"), int(str(ids["link_id"])))


def shape(value: Any) -> Any:
    """Types by keys. ``null`` is as good as any other."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else None
    return None if value is None else type(value).__name__


def differences(command: Any, api: Any, place: str = "") -> list[str]:
    if command is None or api is None:
        return []
    if isinstance(command, dict) and isinstance(api, dict):
        found = [f"{place}{name}: one has it" for name in sorted(set(command) ^ set(api))]
        for name in set(command) & set(api):
            found += differences(command[name], api[name], f"{place}{name}.")
        return found
    if isinstance(command, list) and isinstance(api, list):
        return differences(command[0], api[0], place)
    return [] if command == api else [f"{place}: {command} and {api}"]


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from keys_of(inner)
    if isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def deeds(both: Both) -> Counter[str]:
    """How many the audit and the history have, by the kind of who did them."""
    with both.ground.parts.transactions.read() as connection:
        people = [*connection.scalars(select(audit.c.actor))]
        people += connection.scalars(select(history.c.actor))
        told = connection.scalars(select(inbox.c.payload).where(inbox.c.change == "decide"))
        people += [str(decision.get("actor")) for decision in told]
    return Counter(one.partition(":")[0] for one in people)


def account_show(both: Both) -> tuple[Any, Any]:
    return both.command("account", "show", "3"), both.get("/sites/3/account")


def user_add(both: Both) -> tuple[Any, Any]:
    told = both.command("console", "user", "add", "kim", "--role", "support")
    return told, both.post("/users", name="lee", role="support")


def user_role(both: Both) -> tuple[Any, Any]:
    user_add(both)
    told = both.command("console", "user", "role", "kim", "viewer")
    return told, both.post("/users/lee/role", role="viewer")


def user_list(both: Both) -> tuple[Any, Any]:
    return both.command("console", "user", "list"), both.get("/users")


def user_end(both: Both) -> tuple[Any, Any]:
    user_list(both)
    told = both.command("console", "user", "end-sessions", "bumblebee")
    return told, both.post("/users/bumblebee/end-sessions")


def user_remove(both: Both) -> tuple[Any, Any]:
    for name in ("out-1", "out-2"):
        both.post("/users", name=name, role="viewer")
    told = both.command("console", "user", "remove", "out-1", "--yes")
    return told, both.post("/users/out-2/remove")


def held_drop(both: Both) -> tuple[Any, Any]:
    told = both.command("held", "drop", str(both.held()), *WHY)
    return told, both.post("/held/drop", numbers=[both.held()], why="w")


def held_release(both: Both) -> tuple[Any, Any]:
    told = both.command("held", "release", str(both.held()), *WHY)
    return told, both.post("/held/release", numbers=[both.held()], why="w")


def held_reasons(both: Both) -> tuple[Any, Any]:
    both.held()
    return both.command("held", "reasons"), both.get("/held")["groups"]


def held_preview(both: Both) -> tuple[Any, Any]:
    both.held()
    told = both.command("held", "release", "--reason", "unknown_contact", "--preview")
    return told, both.get("/held/preview?reason=unknown_contact")


def held_try(both: Both) -> tuple[Any, Any]:
    both.shop.wait("remote_away")
    key = both.get("/waiting")["groups"][0]["key"]
    told = both.command("held", "try-now")
    both.shop.wait("remote_away")
    return told, both.post(f"/waiting/{key}/try")


def onboard_status(both: Both) -> tuple[Any, Any]:
    return both.command("onboard", "status", "--site", "3"), both.get("/sites/3/onboarding")


def end_decisions(both: Both) -> None:
    """As if a worker had carried them out."""
    with both.ground.parts.transactions.write() as connection:
        connection.execute(update(inbox).where(inbox.c.state == "new").values(state="done"))


def rating(
    both: Both,
    act: str,
    words: tuple[str, ...],
    then: Callable[[], object] = lambda: None,
    **body: object,
) -> tuple[Any, Any]:
    """``then``: what makes it possible once more."""
    end_decisions(both)
    told = both.command("rating", act, f"r{both.link_id}", *words)
    end_decisions(both)
    then()
    return told, both.post(f"/ratings/{both.link_id}/{act}", **body)


def rating_compare(both: Both) -> tuple[Any, Any]:
    return rating(both, "compare", ())


def rating_stop(both: Both) -> tuple[Any, Any]:
    return rating(both, "stop", WHY, why="w")


def rating_make(both: Both) -> tuple[Any, Any]:
    words = ("--side", "wix", "--stars", "overall=80", *WHY)
    return rating(both, "make", words, side="wix", values={"overall": "80"}, why="w")


def rating_choose(both: Both) -> tuple[Any, Any]:
    def differing() -> str:
        number = both.held("first_difference")
        with both.ground.parts.transactions.write() as connection:
            linked = update(inbox).where(inbox.c.id == number)
            connection.execute(linked.values(link_id=both.link_id, site_id=2))
        return str(number)

    end_decisions(both)
    told = both.command("rating", "choose", differing(), "--side", "wix", *WHY)
    end_decisions(both)
    return told, both.post("/held/choose", numbers=[int(differing())], side="wix", why="w")


def rating_go_on(both: Both) -> tuple[Any, Any]:
    def stop() -> None:
        """As a worker holds what a person has stopped."""
        number = both.held("stopped")
        with both.ground.parts.transactions.write() as connection:
            linked = update(inbox).where(inbox.c.id == number)
            connection.execute(linked.values(link_id=both.link_id, site_id=2))

    stop()
    return rating(both, "go-on", WHY, then=stop, why="w")


def rating_show(both: Both) -> tuple[Any, Any]:
    return both.command("rating", "show", f"r{both.link_id}"), both.get(f"/ratings/{both.link_id}")


def held(both: Both) -> tuple[Any, Any]:
    both.held()
    return both.command("held"), both.get("/held/rows")["items"]


def held_show(both: Both) -> tuple[Any, Any]:
    number = both.held()
    return both.command("held", "show", str(number), "--offline"), both.get(f"/held/{number}")


def comparisons(both: Both) -> tuple[Any, Any]:
    sweeps = SqlSweeps(both.ground.admin.transactions, SiteCache())
    sweep = sweeps.begin(1, RunKind.SWEEP)
    assert sweep is not None
    sweeps.end(sweep)
    return both.command("comparisons"), both.get("/comparisons")


def rating_undo(both: Both) -> tuple[Any, Any]:
    line = {"site_id": 2, "link_id": both.link_id, "at": 1.0, "what": "update", "side": "wix"}
    line |= {"attribute": "overall", "before": "60", "after": "80", "reason": "latest"}
    line |= {"loser": "60", "loser_side": "wix"}
    with both.ground.parts.transactions.write() as connection:
        made = insert(history).values(line).returning(history.c.id)
        number = connection.execute(made).scalar_one()
    end_decisions(both)
    told = both.command("rating", "undo", f"h{number}", *WHY)
    end_decisions(both)
    return told, both.post(f"/history/{number}/undo", why="w")


def search(both: Both) -> tuple[Any, Any]:
    return both.command("search", "bumblebee"), both.get("/ratings?q=bumblebee")


def console_audit(both: Both) -> tuple[Any, Any]:
    return both.command("console", "audit", "--site", "2"), both.get("/audit?site_id=2")


SCENES: Mapping[str, Any] = {
    **SCENES_OF_FILES,
    **SCENES_OF_MAPS,
    **SCENES_OF_SITES,
    "account show": account_show,
    "comparisons": comparisons,
    "console audit": console_audit,
    "console user add": user_add,
    "console user end-sessions": user_end,
    "console user list": user_list,
    "console user remove": user_remove,
    "console user role": user_role,
    "held": held,
    "held drop": held_drop,
    "held reasons": held_reasons,
    "held release": held_release,
    "held release --preview": held_preview,
    "held show": held_show,
    "held try-now": held_try,
    "onboard status": onboard_status,
    "rating choose": rating_choose,
    "rating compare": rating_compare,
    "rating go-on": rating_go_on,
    "rating make": rating_make,
    "rating show": rating_show,
    "rating stop": rating_stop,
    "rating undo": rating_undo,
    "search": search,
}


def test_page_names_each_pair_that_is_tried() -> None:
    assert set(PAIRS) == set(SCENES) | AS_ANOTHER | ELSEWHERE


@pytest.mark.parametrize("command", sorted(SCENES))
def test_command_and_endpoint_answer_with_the_same_keys(command: str, both: Both) -> None:
    before, pair = deeds(both), PAIRS[command]
    told, answered = SCENES[command](both)
    if pair.is_act and command not in LOOKS:
        done = deeds(both) - before
        assert {"cli", "token"} <= set(done), "the audit says who"
    assert told, "else nothing is proved"
    rows = [pair.of(row) for row in (told if isinstance(told, list) else [told])]
    answers = answered if isinstance(told, list) else [answered]
    assert differences(shape(rows), shape(answers)) == []
    assert [one for row in rows for one in breaches(row, pair.schema)] == [], "and as documented"
    odd = {key for key in keys_of(rows) if not SNAKE.fullmatch(key)}
    assert odd <= set(keys_of(answered)), "ids of somebody else's may be keys; names of ours not"


def test_own_preset_is_taken_by_command_and_by_nobody_else(both: Both) -> None:
    """A path names a file of this machine; workers need it no more."""
    told = sent_by_own_preset(both)
    assert (told["row_count"], told["counts"].get("rejected", 0)) == (1, 0)
    content = (both.shell.folder / "own.csv").read_text()
    path = f"/api/v1/sites/1/imports?name=own.csv&preset={both.shell.folder / 'own.yaml'}"
    refused = both.asker.open(path, "POST", data=content)
    assert (refused.status_code, "there is no preset" in refused.text) == (422, True)


def test_page_names_each_command_that_answers_alone() -> None:
    assert {command for command, _inside in ALONE} == set(ALONE_SCENES) | ALONE_ELSEWHERE


@pytest.mark.parametrize("which", sorted(one for one in ALONE if one[0] in ALONE_SCENES))
def test_command_without_an_endpoint_answers_with_the_keys_of_the_page(
    which: tuple[str, str], both: Both
) -> None:
    command, inside = which
    told = ALONE_SCENES[command](both)
    told = told[inside] if inside else told
    rows = told if isinstance(told, list) else [told]
    assert rows, "else nothing is proved"
    for row in rows:
        assert set(row) == ALONE[which]
        assert all(SNAKE.fullmatch(key) for key in row)
