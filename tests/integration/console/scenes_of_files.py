"""What a command and an endpoint answer about sent files and tokens, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sync_worker.ledger.imports.values import RowEnd
from sync_worker.ledger.imports.work import SqlImportWork
from tests.integration.console.both import WHY, Both, go_on

ON_1 = ("--site", "1")
SCALE = ("--scale", "1:5:1")
COLUMNS = ("entity=product", "email=mail", "overall=stars")


def sent_file(both: Both, name: str) -> dict[str, Any]:
    """A file of one good row and a bad one, sent by command."""
    rows = "product,mail,stars\nP1,ada@example.com,5\nP1,bob@example.com,9\n"
    (both.shell.folder / name).write_text(rows)
    columns = [("--column", pair) for pair in COLUMNS]
    words = [word for pair in columns for word in pair]
    told: dict[str, Any] = both.command("imports", "send", name, *ON_1, *SCALE, *words)
    return told


def imports_send(both: Both) -> tuple[Any, Any]:
    told = sent_file(both, "sent.csv")
    query = "&".join(f"columns={quote(pair)}" for pair in COLUMNS)
    content = (both.shell.folder / "sent.csv").read_text()
    path = f"/api/v1/sites/1/imports?scale=1:5:1&name=sent.csv&{query}"
    answer = both.asker.open(path, "POST", data=content)
    assert answer.status_code == 200, answer.text
    return told, answer.json


def sent_by_own_preset(both: Both) -> dict[str, Any]:
    """A file that a preset of one's own says how to read, beside the shell."""
    preset = (
        "columns: {entity: product, email: mail}\nvalues: {overall: stars}\n"
        "scale: {min: 1, max: 5, step: 1}\n"
    )
    (both.shell.folder / "own.yaml").write_text(preset)
    (both.shell.folder / "own.csv").write_text("product,mail,stars\nP1,ada@example.com,5\n")
    told: dict[str, Any] = both.command("imports", "send", "own.csv", *ON_1, "--preset", "own.yaml")
    return told


def imports_list(both: Both) -> tuple[Any, Any]:
    sent_file(both, "listed.csv")
    return both.command("imports", "list", *ON_1), both.get("/sites/1/imports")


def of_file(both: Both, command: str, path: str = "") -> tuple[Any, Any]:
    number = sent_file(both, "file.csv")["id"]
    told = both.command("imports", command, str(number), *ON_1)
    return told, both.get(f"/sites/1/imports/{number}{path}")


def imports_show(both: Both) -> tuple[Any, Any]:
    return of_file(both, "show")


def imports_rows(both: Both) -> tuple[Any, Any]:
    return of_file(both, "rows", "/rows")


def imports_look(both: Both) -> tuple[Any, Any]:
    go_on(both, 1)
    first, second = (sent_file(both, f"look-{one}.csv")["id"] for one in (1, 2))
    told = both.command("imports", "look", str(first), *ON_1)
    return told, both.post(f"/sites/1/imports/{second}/look")


def looked_at(both: Both, number: int) -> None:
    """As a worker does that has played the file."""
    both.post(f"/sites/1/imports/{number}/look")
    work = SqlImportWork(both.ground.parts.transactions)
    while (claim := work.claim()) is not None:
        work.save(claim, [RowEnd(line, "created") for line in (2, 3)], {})
        work.rest(claim)


def imports_run(both: Both) -> tuple[Any, Any]:
    go_on(both, 1)
    first, second = (sent_file(both, f"run-{one}.csv")["id"] for one in (1, 2))
    for number in (first, second):
        looked_at(both, number)
    count = both.get(f"/sites/1/imports/{first}")["to_type"]
    told = both.command("imports", "run", str(first), "--count", str(count), *ON_1, *WHY)
    return told, both.post(f"/sites/1/imports/{second}/run", count=count, why="w")


def imports_stop(both: Both) -> tuple[Any, Any]:
    go_on(both, 1)
    first, second = (sent_file(both, f"stop-{one}.csv")["id"] for one in (1, 2))
    for number in (first, second):
        both.post(f"/sites/1/imports/{number}/look")
    told = both.command("imports", "stop", str(first), *ON_1, *WHY)
    return told, both.post(f"/sites/1/imports/{second}/stop", why="w")


def imports_remove(both: Both) -> tuple[Any, Any]:
    first, second = (sent_file(both, f"gone-{one}.csv")["id"] for one in (1, 2))
    told = both.command("imports", "remove", str(first), *ON_1)
    return told, both.post(f"/sites/1/imports/{second}/remove")


def a_token(both: Both, name: str) -> int:
    """Its number; made by command."""
    words = ("console", "token", "add", name, "--scope", "look")
    return int(both.command(*words)["token"]["id"])


def token_list(both: Both) -> tuple[Any, Any]:
    a_token(both, "listed")
    return both.command("console", "token", "list"), both.get("/tokens")


def token_revoke(both: Both) -> tuple[Any, Any]:
    first, second = a_token(both, "ends-1"), a_token(both, "ends-2")
    told = both.command("console", "token", "revoke", str(first))
    return told, both.post(f"/tokens/{second}/revoke")


SCENES_OF_FILES: Mapping[str, Any] = {
    "console token list": token_list,
    "console token revoke": token_revoke,
    "imports list": imports_list,
    "imports look": imports_look,
    "imports remove": imports_remove,
    "imports rows": imports_rows,
    "imports run": imports_run,
    "imports send": imports_send,
    "imports show": imports_show,
    "imports stop": imports_stop,
}
