"""What a command and an endpoint answer about maps, sites and how all stands, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sync_worker.files.mapping_files import CONTACT_COLUMNS, ENTITY_COLUMNS, FIELD_COLUMNS
from tests.integration.console.both import WHY, Both

FIELD = "overall,value,0,100,1,1,5,1,proportional"


def status(both: Both) -> tuple[Any, Any]:
    # It ends with 1 here: nothing runs.
    told = json.loads(both.shell.run("status", "--offline", "--json").stdout)
    return told, both.get("/overview")


def history(both: Both) -> tuple[Any, Any]:
    return both.command("history"), both.get("/activity")["lines"][::-1]


def site_list(both: Both) -> tuple[Any, Any]:
    return both.command("site", "list"), both.get("/sites")["sites"]


def site_show(both: Both) -> tuple[Any, Any]:
    both.held("unknown_entity")
    return both.command("site", "show", "--site", "2"), both.get("/sites/2")


def _entities(both: Both, *ids: str) -> str:
    rows = [f"reviews,stores,w-{one},,e-{one}" for one in ids]
    return both.shell.file("entities.csv", "\n".join([",".join(ENTITY_COLUMNS), *rows, ""]))


def entities_import(both: Both) -> tuple[Any, Any]:
    told = both.command("map", "entities", "import", _entities(both, "m1"), "--site", "1")
    rows = (both.shell.folder / _entities(both, "m2")).read_text()
    return told, both.post("/sites/1/mappings/import", csv=rows, why="w")


def entities_list(both: Both) -> tuple[Any, Any]:
    both.command("map", "entities", "import", _entities(both, "m3"), "--site", "1")
    told = both.command("map", "entities", "list", "--site", "1")
    return told, both.get("/sites/1/mappings")["maps"]


def entities_remove(both: Both) -> tuple[Any, Any]:
    both.command("map", "entities", "import", _entities(both, "m4", "m5"), "--site", "1")
    which = ("--wix-id", "w-m4", "--site", "1")
    told = both.command("map", "entities", "remove", *which, *WHY)
    other = next(
        one
        for one in both.get("/sites/1/mappings?word=w-m5")["maps"]
        if one["entity"]["wix"]["entity_id"] == "w-m5"
    )
    return told, both.post("/sites/1/mappings/remove", id=other["entity"]["id"], why="w")


def doctor(both: Both) -> Any:
    return json.loads(both.shell.run("doctor", "--offline", "--json").stdout)


def contacts_import(both: Both) -> Any:
    rows = f"{','.join(CONTACT_COLUMNS)}\nc-1,ada@example.com,\n"
    file = both.shell.file("contacts.csv", rows)
    return both.command("map", "contacts", "import", file, "--site", "1")


def contacts_list(both: Both) -> Any:
    contacts_import(both)
    return both.command("map", "contacts", "list", "--site", "1")


def fields_import(both: Both) -> Any:
    file = both.shell.file("fields.csv", f"{','.join(FIELD_COLUMNS)}\n{FIELD}\n")
    return both.command("map", "fields", "import", file, "--site", "1")


def fields_check(both: Both) -> Any:
    file = both.shell.file("fields.csv", f"{','.join(FIELD_COLUMNS)}\n{FIELD}\n")
    return both.command("map", "fields", "check", file)


def fields_list(both: Both) -> Any:
    fields_import(both)
    return both.command("map", "fields", "list", "--site", "1")


def propose(both: Both) -> Any:
    file = both.shell.file("catalogue.csv", "id,sku,name\n1,s-1,Beans\n")
    files = ("--wix", file, "--external", file, "--out", "pairs.csv")
    return both.command("map", "entities", "propose", *files)


SCENES_OF_MAPS: Mapping[str, Any] = {
    "history": history,
    "map entities import": entities_import,
    "map entities list": entities_list,
    "map entities remove": entities_remove,
    "site list": site_list,
    "site show": site_show,
    "status": status,
}
ALONE_SCENES: Mapping[str, Any] = {
    "doctor": doctor,
    "map contacts import": contacts_import,
    "map contacts list": contacts_list,
    "map entities propose": propose,
    "map fields check": fields_check,
    "map fields import": fields_import,
    "map fields list": fields_list,
}
