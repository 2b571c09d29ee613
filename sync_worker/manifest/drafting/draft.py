"""A manifest from what a person has at hand, and what is left for the person to fill in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from sync_worker.manifest.drafting.deliveries import Told
from sync_worker.manifest.drafting.samples import Sample, number_in, scale_of, states_of
from sync_worker.manifest.drafting.scrubbed import scrubbed

WEBHOOK_PARTS: Mapping[str, str] = {
    "verify": "a signature, secret or token",
    "event": "the name of the event",
    "key": "the record's id",
}
OPERATIONS = ("get", "find", "list", "create", "update", "delete")
PLACES: Mapping[str, str] = {
    "id": "reviews' own id",
    "entity": "id of the rated product",
    "value": "stars",
    "email": "address of the person",
}
AS: Mapping[str, str] = {
    "value": "decimal",
    "email": "email",
    "created_at": "datetime",
    "updated_at": "datetime",
}
WORDS = ("title", "body")
TAG = re.compile(r"</?[a-zA-Z][^<>]*>|&#?[a-zA-Z0-9]{2,8};")  # as HTML has, and plain text has not
MAX_VALUE = 100  # the highest mark of a usual scale
HEAD = """\
# A first draft for {name}, from samples: look at each line, then
#   ratings-sync connector check {file}
#   ratings-sync connector check {file} --live
# Every key is explained in docs/connectors.md.
"""


class _WithoutAliases(yaml.SafeDumper):
    """Writes out what stands twice: a person reads it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass(slots=True)
class Draft:
    """``name``: the connector's id. ``auth``: as in a manifest, with settings by reference.

    ``operations``: as proposed from elsewhere; else those of a REST API of the usual form.
    """

    name: str
    sample: Sample
    base_url: str
    auth: dict[str, Any]
    collection: str = "/reviews"
    told: Told | None = None
    operations: dict[str, Any] = field(default_factory=dict)

    @property
    def setting(self) -> str:
        """The beginning of its settings' names."""
        return self.name.upper().replace("-", "_")

    def propose(self, collection: str, operations: dict[str, Any]) -> None:
        """Take operations from a description; how answers are wrapped the sample knows better."""
        self.collection, self.operations = collection, operations
        for name in ("get", "create", "update"):
            if name in operations and self.sample.wrapper and not self.sample.is_list:
                operations[name]["result_path"] = self.sample.wrapper
        if operations.get("update", {}).get("method") == "PUT":
            operations["update_mode"] = "full"

    def document(self) -> dict[str, Any]:
        """The manifest, without what is not known."""
        document: dict[str, Any] = {
            "version": 1,
            "id": self.name,
            "title": f"Reviews of {self.name}",
            "base_url": self.base_url,
        }
        if self.base_url.startswith("http://"):
            document["allow_private_hosts"] = True
        document["auth"] = self.auth
        document["http"] = {"budget": {"requests": 5, "per_s": 1, "concurrency": 4}}
        document["key"] = {"id": {"path": self._path("id"), "required": True}}
        document["fields"] = self._fields()
        document["scale"] = scale_of(self.sample.value_at("value"))
        # Operations of a description say themselves what they carry.
        if self._words and not self.operations:
            document["text"] = {"sync": self._words}
        if states := self.document_states():
            document["states"] = states
        document["operations"] = self.operations or self._usual_operations()
        document["operations"].setdefault("poll", {"every_s": 900, "full_scan_every_s": 86400})
        if (webhook := self._webhook()) is not None:
            document["webhook"] = webhook
        document["examples"] = self._examples()
        return document

    def text(self, file: str) -> str:
        """The manifest as YAML."""
        head = HEAD.format(name=self.name, file=file)
        body = yaml.dump(
            self.document(),
            Dumper=_WithoutAliases,
            sort_keys=False,
            allow_unicode=True,
            width=120,
            default_flow_style=None,
        )
        return head + body

    def left(self) -> list[str]:
        """What was not found, and so is a guess: a sentence each."""
        guesses = [
            f"{name}: the {PLACES[name]} was not found in the sample; {self._path(name)!r} is"
            " a guess"
            for name in self.sample.missing
        ]
        if not self.operations:
            guesses.append(
                f"operations: those of a REST API of the usual form at {self.collection}; compare"
                " them with your system's description"
            )
        missing = [name for name in OPERATIONS if name not in (self.operations or OPERATIONS)]
        if missing:
            guesses.append(
                f"operations: the description offers no {', no '.join(missing)} that we recognise"
            )
        if "update_mode" in self.operations:
            guesses.append(
                "operations.update_mode: full, as the update is a PUT; patch, if yours merges"
            )
        guesses += self._of_marks()
        guesses.append(
            "examples: the samples stand in the file, without what looks like a secret or an"
            " address; look for what is a person's"
        )
        guesses.append(
            "operations.get.errors: name the word by which the system says that a record is gone"
            ' (docs/connectors.md, "Gone")'
        )
        if self.told is None:
            return [*guesses, "webhook: no sample was given; until then changes are found by polls"]
        missing_parts = [
            f"webhook.{part}: {words} was not found in the sample, so the webhook was left out"
            for part, words in WEBHOOK_PARTS.items()
            if getattr(self.told, part) is None
        ]
        if missing_parts:
            return [*guesses, *missing_parts]
        return [*guesses, "webhook.events: only the sample's event is named; add the others"]

    def _of_marks(self) -> list[str]:
        """What is odd about the sample's mark and its state."""
        found = []
        number = number_in(self.sample.value_at("value"))
        if number is not None and not 0 <= number <= MAX_VALUE:
            found.append(f"scale: the sample's mark, {number}, is on no usual scale; state yours")
        states = self.document_states()
        if states and "published" not in states["read"].values():
            word = self.sample.value_at("state")
            found.append(
                f"states.read: {word!r} is no word of a published record; name the system's own, or"
                " nothing crosses"
            )
        return found

    def document_states(self) -> dict[str, Any]:
        """The section ``states``, empty if the sample has no word for it."""
        return states_of(self.sample.value_at("state"))

    def _path(self, name: str) -> str:
        return self.sample.paths.get(
            name, {"id": "id", "entity": "product_id", "value": "stars"}.get(name, name)
        )

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name in (
            "entity",
            "value",
            "email",
            "author",
            "title",
            "body",
            "state",
            "created_at",
            "updated_at",
        ):
            if name not in self.sample.paths and name not in ("entity", "value"):
                continue
            fields[name] = {"path": self._path(name)}
            if name in AS:
                fields[name]["as"] = AS[name]
            elif name in WORDS and self._is_html(name):
                fields[name]["as"] = "html_text"
            if name in ("entity", "value"):
                fields[name]["required"] = True
        return fields

    @property
    def _words(self) -> list[str]:
        """The words that the sample shows, and so both sides can keep in step."""
        return [name for name in WORDS if name in self.sample.paths]

    def _leaf_of(self, word: str) -> dict[str, Any]:
        leaf = {"from": f"rating.{word}"}
        return {**leaf, "as": "html_text"} if self._is_html(word) else leaf

    def _is_html(self, word: str) -> bool:
        text = self.sample.value_at(word)
        return isinstance(text, str) and TAG.search(text) is not None

    def _usual_operations(self) -> dict[str, Any]:
        one, wrapper = f"{self.collection}/{{key.id}}", self.sample.wrapper
        items = {"items_path": wrapper} if wrapper else {}
        result = {"result_path": wrapper} if wrapper and not self.sample.is_list else {}
        gone = [{"status": [404, 410], "path": "code", "equals": "not_found", "outcome": "gone"}]
        stars = {"from": "rating.value", "as": "int", "required": True}
        created = {self._path("entity"): {"from": "entity.external_id"}, self._path("value"): stars}
        created[self._path("email")] = {"from": "contact.email"}
        words = {self._path(name): self._leaf_of(name) for name in self._words}
        # Both for a create and for an update, which is sent only what changed.
        created |= words
        mark = {"from": "rating.value", "as": "int"}
        return {
            "get": {"method": "GET", "path": one, **result, "errors": gone},
            "find": {
                "method": "GET",
                "path": self.collection,
                "query": {
                    "product": {"from": "entity.external_id", "required": True},
                    "email": {"from": "contact.email", "required": True},
                },
                **items,
            },
            "list": {
                "method": "GET",
                "path": self.collection,
                **items,
                "pagination": {
                    "kind": "page",
                    "param": "page",
                    "size_param": "per_page",
                    "size": 100,
                },
            },
            "create": {"method": "POST", "path": self.collection, "body": tree(created), **result},
            "update": {
                "method": "PATCH",
                "path": one,
                "body": tree({self._path("value"): mark, **words}),
                **result,
                "errors": gone,
            },
            "delete": {"method": "DELETE", "path": one, "success": [204], "errors": gone},
        }

    def _webhook(self) -> dict[str, Any] | None:
        told = self.told
        if told is None or told.verify is None or told.event is None or told.key is None:
            return None
        items = {"items_path": told.items} if told.items is not None else {}
        return {
            "verify": [told.verify],
            **items,
            "event": told.event,
            "events": [{"match": told.event_name, "change": told.change}],
            "payload": "thin",
            "key": {"id": told.key},
        }

    def _examples(self) -> dict[str, Any]:
        expect: dict[str, Any] = {}
        if "id" in self.sample.paths:
            expect["remote_id"] = str(self.sample.value_at("id"))
        if "entity" in self.sample.paths:
            expect["entity"] = str(self.sample.value_at("entity"))
        examples: dict[str, Any] = {}
        if expect:
            resource = scrubbed(self.sample.record)
            examples["records"] = [{"name": "the sample", "resource": resource, "expect": expect}]
        told = self.told
        if told is not None and self._webhook() is not None:
            sample: dict[str, Any] = {"name": "the captured webhook", "body": told.body}
            sample["headers"] = dict(told.headers)
            ids = told.keys or [told.remote_id]
            results = [{"change": told.change, "remote_id": one} for one in ids]
            sample["expect"] = results if told.headers else "rejected"
            examples["deliveries"] = [sample]
        return examples


def tree(leaves_by_path: Mapping[str, Any]) -> dict[str, Any]:
    """A body in which each leaf stands at its dotted path."""
    body: dict[str, Any] = {}
    for path, leaf in leaves_by_path.items():
        *parents, last = [part.strip('"') for part in path.split(".")]
        part = body
        for name in parents:
            part = part.setdefault(name, {})
        part[last] = leaf
    return body
