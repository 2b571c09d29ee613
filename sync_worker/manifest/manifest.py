"""The shape of a connector manifest: one YAML file for a system, checked whole when it is loaded.

Unknown keys are refused, secrets come by reference only, and every path compiles at load. Sections
and their meaning: docs/connectors.md; their shapes: the modules in ``schema/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, model_validator

from sync_worker.core.ports.remote import Capabilities
from sync_worker.manifest.schema.base import Path, Strict
from sync_worker.manifest.schema.calls import Operations, OperationSpec
from sync_worker.manifest.schema.examples import Examples
from sync_worker.manifest.schema.http import Auth, Http, NoAuth
from sync_worker.manifest.schema.polling import CreateAsync
from sync_worker.manifest.schema.record import (
    AttributesList,
    Fields,
    Identity,
    KeyPart,
    ScaleSection,
    States,
    Text,
)
from sync_worker.manifest.schema.settings import SettingSpec
from sync_worker.manifest.schema.webhook import EventRule, Webhook
from sync_worker.manifest.text_rules import text_rules

PARENT = "entity.external_id"


class Manifest(Strict):
    """One external system."""

    version: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str = ""
    base_url: str = Field(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")
    """Literal, or ``{env: NAME}``."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that calls and next-links may go to; by default that of ``base_url``."""
    allow_private_hosts: bool = False
    """Whether the system may be inside your own network."""
    conn: Mapping[str, str] = {}
    """What tells one account from another, such as a store hash: literal, or ``{env: NAME}``."""
    settings: tuple[SettingSpec, ...] = Field(default=(), max_length=50)
    """What a shop gives to be connected; used as ``{setting: name}``."""
    account_identity: tuple[str, ...] = ()
    """Settings that tell one external account from another; by default those that ``base_url`` and
    ``conn`` use.
    """
    outbound: bool = True
    """``off``: a site of this connector starts with the direction ``to_wix``; a person switches
    writing on.
    """
    limits: tuple[str, ...] = ()
    """What people should know besides what follows from the rest; shown by ``connector show``."""
    plugin: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    """Registered name of a Python plugin that makes the calls, for what cannot be declared."""
    auth: Auth = NoAuth()
    http: Http = Http()
    key: Mapping[str, KeyPart] = Field(min_length=1)
    fields: Fields
    attributes: Mapping[str, Path] = {}
    """Sub-ratings at fixed places: name → path."""
    attributes_list: AttributesList | None = None
    scale: ScaleSection
    attribute_scale: ScaleSection | None = None
    """Scale of the sub-ratings, if it is another one."""
    text: Text = Text()
    states: States = States()
    identity: Identity = Identity()
    operations: Operations = Operations()
    webhook: Webhook | None = None
    examples: Examples = Examples()
    _source: str = PrivateAttr(default="")

    @property
    def source(self) -> str:
        """What deliveries come from: the connector itself, or one account of it."""
        return self._source or self.id

    def of_source(self, source: str) -> Manifest:
        """The same manifest, as one account's."""
        copy = self.model_copy()
        copy._source = source
        return copy

    @property
    def capabilities(self) -> Capabilities:
        """Derived from what is declared, never claimed by hand."""
        operations, has_revision = self.operations, self.fields.revision is not None
        return Capabilities(
            has_revision=has_revision,
            update_precondition=has_revision and _names_revision(operations.update),
            delete_precondition=has_revision and _names_revision(operations.delete),
            is_unique=operations.unique,
            trusts_payload=self.webhook is not None and self.webhook.trusts_payload,
            many_fields=bool(self.attributes or self.attributes_list),
            create_is_async=operations.create_async is not None,
            **_confirmation(operations.create_async),
            can_find=operations.find is not None or self.lists_by_parent,
            can_create=operations.create is not None,
            can_update=operations.update is not None,
            can_delete=operations.delete is not None,
            ignored_operations=frozenset(
                name for name, answer in operations.on_unsupported.items() if answer == "ignore"
            ),
            skips_without_email=self.identity.when_missing == "skip",
            locks_records=bool(self.fields.can_update or self.fields.can_delete),
            says_verified=self.fields.verified is not None,
            media=self.fields.media is not None,
            absence_counts=operations.poll is None or operations.poll.delete_when_missing,
            says_gone=operations.get is not None,
            words=text_rules(self.text, self.fields, operations),
        )

    @cached_property
    def correlates_text(self) -> bool:
        """Whether accepted creates are known by having no person's words."""
        waits = self.operations.create_async
        return waits is not None and "text_hash" in waits.correlate_on

    @property
    def event_rules(self) -> tuple[EventRule, ...]:
        """What each event means; ``create_async.fail_event`` is one of them."""
        waits = self.operations.create_async
        rules = self.webhook.events if self.webhook is not None else ()
        failed = waits.fail_event if waits is not None else None
        return (
            (*rules, EventRule(match=failed, change="create_failed"))
            if failed is not None
            else rules
        )

    @property
    def first_policies(self) -> dict[str, str]:
        """The unusual policies that a new site of this connector starts with."""
        return {} if self.outbound else {"direction": "to_wix"}

    @property
    def lists_by_parent(self) -> bool:
        """Whether a listing is of one parent's records only."""
        spec = self.operations.list
        return isinstance(spec, OperationSpec) and PARENT in spec.path + repr(spec.query) + repr(
            spec.body
        )

    @property
    def parent_part(self) -> str | None:
        """The key part that is the parent's id.

        For records that are addressed under their parent.
        """
        return next((name for name, part in self.key.items() if part.context == PARENT), None)

    @property
    def specs(self) -> Iterator[tuple[str, OperationSpec]]:
        """Every declared call, with its place in the manifest."""
        yield from ((f"operations.{name}", spec) for name, spec in self.operations.specs)
        manage = self.webhook.manage if self.webhook else None
        if manage is not None:
            calls = (
                ("list", manage.list),
                ("register", manage.register_),
                ("enable", manage.enable),
                ("remove", manage.remove),
            )
            yield from (
                (f"webhook.manage.{name}", spec) for name, spec in calls if spec is not None
            )

    @model_validator(mode="after")
    def _settings_fit(self) -> Manifest:
        _check_settings([setting.name for setting in self.settings], self.account_identity)
        return self

    @model_validator(mode="after")
    def _has_a_way_in(self) -> Manifest:
        if self.webhook is None and self.operations.list is None and self.plugin is None:
            raise ValueError(
                "there is no way in: declare webhook, or operations.list with poll, so that changes"
                " are noticed"
            )
        return self

    @model_validator(mode="after")
    def _can_look(self) -> Manifest:
        operations = self.operations
        if operations.create is not None and operations.find is None and not self.lists_by_parent:
            raise ValueError(
                "operations.create needs operations.find: before each create we look whether the"
                " record is there"
            )
        trusts = self.webhook is not None and self.webhook.trusts_payload
        if (
            operations.get is None
            and operations.list is None
            and not trusts
            and self.plugin is None
        ):
            raise ValueError(
                "operations.get or operations.list is needed: webhooks are hints, the record is"
                " read again"
            )
        return self

    @model_validator(mode="after")
    def _reads_its_words(self) -> Manifest:
        for name in self.text.sync:
            field = getattr(self.fields, name)
            if field is None or field.path is None:
                raise ValueError(
                    f"text.sync: {name} needs fields.{name} with a path: what is not read cannot be"
                    " kept in step"
                )
        return self

    @model_validator(mode="after")
    def _failures_can_be_heard(self) -> Manifest:
        waits, webhook = self.operations.create_async, self.webhook
        failed = waits.fail_event if waits is not None else None
        if (
            waits is None
            and webhook is not None
            and any(rule.change == "create_failed" for rule in webhook.events)
        ):
            raise ValueError(
                "webhook.events: create_failed needs operations.create_async: other creates fail at"
                " once"
            )
        if failed is None:
            return self
        if webhook is None or webhook.event.const not in (None, failed):
            raise ValueError(
                f"operations.create_async.fail_event: no webhook can ever name the event {failed!r}"
            )
        if any(rule.match == failed for rule in webhook.events):
            raise ValueError(
                f"operations.create_async.fail_event: {failed!r} is in webhook.events, too; name it"
                " once"
            )
        return self

    @model_validator(mode="after")
    def _can_poll(self) -> Manifest:
        if problem := _problem_of_poll(self):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _addresses_fit(self) -> Manifest:
        if self.webhook is not None:
            for rule in self.webhook.events:
                self._key_fits(rule.key or self.webhook.key, rule.change)
        urls = [
            self.base_url,
            *([self.auth.token_url] if self.auth.type == "oauth2_client_credentials" else []),
        ]
        if any(url.startswith("http://") for url in urls) and not self.allow_private_hosts:
            raise ValueError(
                "base_url is not https; plain http is for allow_private_hosts: true only"
            )
        return self

    def _key_fits(self, key: Mapping[str, Any], change: str) -> None:
        if change == "parent_changed":
            if self.parent_part is None or set(key) != {self.parent_part}:
                raise ValueError(
                    "webhook.key of a parent_changed event is the one part of key that has"
                    f" context: {PARENT}"
                )
        elif change in ("upsert", "delete") and set(key) != set(self.key):
            raise ValueError(f"webhook.key has the parts {sorted(key)}, key has {sorted(self.key)}")

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""


def _check_settings(names: Sequence[str], identity: Sequence[str]) -> None:
    """Raises ValueError."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"settings: {twice!r} is declared twice")
    unknown = next((name for name in identity if name not in names), None)
    if unknown is not None:
        raise ValueError(f"account_identity: {unknown!r} is not declared under settings")


def _confirmation(waits: CreateAsync | None) -> dict[str, Any]:
    """How an accepted create is waited for."""
    if waits is None:
        return {}
    return {
        "confirm_seconds": float(waits.wait_s),
        "correlates_value": "value" in waits.correlate_on,
        "correlates_text": "text_hash" in waits.correlate_on,
    }


def _names_revision(operation: object) -> bool:
    """Whether the call sends the revision that it expects."""
    if not isinstance(operation, OperationSpec):
        return False
    return "rating.revision" in repr(operation.headers) + repr(operation.query) + repr(
        operation.body
    )


def _problem_of_poll(manifest: Manifest) -> str:
    """Why nothing can be polled as declared; empty if nothing hinders it."""
    poll, listing = manifest.operations.poll, manifest.operations.list
    if poll is None or manifest.plugin is not None:
        return ""
    if listing is None:
        return "operations.poll needs operations.list: there is nothing to look at"
    if poll.incremental is None:
        return ""
    if not isinstance(listing, OperationSpec):
        return "poll.incremental adds its param to a declared operations.list, not to a handler"
    needed = [f"{poll.incremental.semantics}_at"]
    if poll.incremental.params:
        needed.append("created_at")
    missing = next((name for name in needed if getattr(manifest.fields, name) is None), None)
    if missing is None:
        return ""
    return f"poll.incremental needs fields.{missing}: the next look begins at the newest one seen"
