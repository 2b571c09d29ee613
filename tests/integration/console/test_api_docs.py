"""The examples of docs/api.md do what they say, and its tables name every endpoint."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from sync_console.web.parts import right_of
from tests.integration.console.ground import Ground
from tests.integration.console.held_shop import HeldShop
from tests.integration.console.programs import api_rules, program

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()

FILE = "rating,reviewer_email,product_id\n5,ada@example.com,P1\n"


def test_each_example_answers(ground: Ground) -> None:
    HeldShop(ground.admin).hold("unknown_contact")
    asker, lines = program(ground), re.findall(r"^curl .*$", PAGE, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line)
        address = urlsplit(words[2].replace("$CONSOLE", "http://console"))
        headers = dict(word.split(": ", 1) for flag, word in pairwise(words) if flag == "-H")
        assert headers.pop("Authorization") == "Bearer $TOKEN"
        path = f"{address.path}?{address.query}"
        if "--json" in words:
            body = json.loads(words[words.index("--json") + 1])
            answer = asker.open(path, "POST", json=body, headers=headers)
        elif "--data-binary" in words:
            answer = asker.open(path, "POST", data=FILE, headers=headers)
        else:
            answer = asker.open(path, headers=headers)
        assert answer.status_code == 200, (line, answer.text)
        assert len(answer.json) > 0


def test_tables_name_each_endpoint(ground: Ground) -> None:
    for rule, _method in api_rules(ground):
        path = re.sub(r"<(?:[^:>]*:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1"))
        assert f"{path}`" in PAGE or f"{path}?" in PAGE, path


def test_tables_tell_the_scope_of_each_endpoint(ground: Ground) -> None:
    """Generated from the code: a row that names an endpoint names its scope, and no other one."""
    rows = [line.split("|") for line in PAGE.splitlines() if re.match(r"\| `(GET|POST) ", line)]
    for rule, method in api_rules(ground):
        path = re.sub(r"<(?:[^:>]*:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1"))
        named = re.compile(rf"`(?:{method} )?{re.escape(path)}(?:\?[^`]*)?`")
        of_method = (row for row in rows if row[1].strip()[1:].startswith(method))
        row = next(row for row in of_method if named.search(row[1]))
        assert row[2].strip() == f"`{right_of(ground.app.view_functions[rule.endpoint])}`", path
