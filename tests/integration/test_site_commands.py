"""``site pause`` and ``resume``, and ``map entities remove``, as a shell runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.shell import ENTITIES, Shell, shell_in


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = shell_in(tmp_path)
    shell.good("site", "add", "instance-1", "--connector", "own-service")
    return shell


def test_site_is_paused_for_a_while_or_until_it_is_resumed(shell: Shell) -> None:
    told = shell.good("site", "pause", "--until", "2h", "--why", "the shop moves")
    assert re.fullmatch(r"site 1: paused until \d{4}-\d\d-\d\d \d\d:\d\d UTC\n", told)
    shown = shell.good("site", "show")
    assert re.search(r"  paused by .+ since .+, until .+: the shop moves\n", shown)
    (told,) = [one for one in shell.how()["troubles"] if one["kind"] == "paused"]
    assert re.search(r"is paused until .+ \(the shop moves\): its ratings wait", told["sentence"])
    assert shell.good("site", "pause") == "site 1: paused\n"
    shell.store(reason="site_paused")
    assert shell.good("site", "resume") == "site 1: active, 1 deliveries released\n"
    assert "is over already" in shell.bad("site", "pause", "--until", "2020-01-01")
    assert "is neither a time" in shell.bad("site", "pause", "--until", "soon")


def test_map_of_a_product_is_removed_by_its_id(shell: Shell) -> None:
    rows = "reviews,stores,p-1,,SKU-1\nreviews,stores,p-2,,SKU-2\n"
    shell.good("map", "entities", "import", shell.file("maps.csv", ENTITIES + rows))
    told = shell.good("map", "entities", "remove", "--wix-id", "p-1", "--why", "a mistake")
    assert told.startswith("The map of p-1 to SKU-1 is removed.")
    assert shell.good("map", "entities", "list") == ENTITIES + "reviews,stores,p-2,,SKU-2\n"
    assert "has no map of p-1" in shell.bad("map", "entities", "remove", "--wix-id", "p-1")
    assert "name the product" in shell.bad("map", "entities", "remove")
