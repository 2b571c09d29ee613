"""Wrong manifests are refused in words that name the place, those that extend others, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.loader import load_manifest, parse_manifest
from sync_worker.manifest.schema.calls import Hook, OperationSpec
from sync_worker.manifest.source.resolving import Placeholders

PRINTED = Path(__file__).parents[2] / "manifests"


def _inline_secret(document: Any) -> None:
    document["auth"]["password"] = "hunter2"


def _typo(document: Any) -> None:
    document["webhok"] = document.pop("webhook")


def _traversal(document: Any) -> None:
    document["operations"]["get"]["path"] = "/wp-json/../{key.id}"


def _unknown_root(document: Any) -> None:
    document["operations"]["create"]["body"]["rating"] = {"from": "environment.WOO_CONSUMER_SECRET"}


def _bad_path(document: Any) -> None:
    document["fields"]["value"]["path"] = "rating[["


def _trust(document: Any) -> None:
    document["webhook"] |= {"payload": "full", "refetch": "full_payload_ok", "record_path": "@"}
    document["webhook"]["verify"] = [{"type": "url_token", "secret": {"env": "WOO_WEBHOOK_SECRET"}}]


def _no_way_in(document: Any) -> None:
    del document["webhook"], document["operations"]["list"]


WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "typo": (_typo, "unknown key 'webhok'; did you mean 'webhook'?"),
    "secret written out": (
        _inline_secret,
        "auth.password: a secret comes by reference: {setting: name}, {env: NAME}",
    ),
    "traversal": (_traversal, "has an empty segment, '.' or '..' in it"),
    "unknown root": (
        _unknown_root,
        "operations.create.body: 'environment.WOO_CONSUMER_SECRET' starts with none of",
    ),
    "bad path": (_bad_path, "fields.value.path: 'rating[[' is no JMESPath"),
    "trusted payload that nobody signed": (
        _trust,
        "a signature does not cover the body; sign the body",
    ),
    "no way in": (_no_way_in, "there is no way in: declare webhook, or operations.list"),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_wrong_manifest_is_refused_in_words_that_name_the_place(case: str) -> None:
    change, complaint = WRONG[case]
    document = yaml.safe_load((PRINTED / "woocommerce.yaml").read_text())
    change(document)
    with pytest.raises(Misconfigured) as refusal:
        parse_manifest(document, Placeholders({}), Path("my-shop.yaml"))
    assert str(refusal.value).startswith("my-shop.yaml: ")
    assert complaint in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


MORE_WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a failed create that nobody waits for": (
        {"webhook": {"events": [{"match": "x", "change": "create_failed"}]}},
        "create_failed needs operations.create_async",
    ),
    "a failure that is told twice": (
        {"operations": {"create_async": {"fail_event": "action.woocommerce_rating_sync_created"}}},
        "is in webhook.events, too; name it once",
    ),
    "a failure that no event can tell": (
        {
            "operations": {"create_async": {"fail_event": "failed"}},
            "webhook": {"event": {"header": None, "const": "x"}},
        },
        "no webhook can ever name the event 'failed'",
    ),
    "two sources of one field": (
        {"fields": {"value": {"const": 4}}},
        "needs exactly one of path, context, const",
    ),
    "create without a search": (
        {"operations": {"find": None}},
        "operations.create needs operations.find",
    ),
    "placeholder that is missing": (
        {"text": {"placeholder_body": None}},
        "required_body needs placeholder_body",
    ),
    "unknown time zone": (
        {"fields": {"created_at": {"tz": "Mars/Base"}}},
        "'Mars/Base' is no time zone",
    ),
    "plain http": ({"base_url": "http://shop.example.com"}, "base_url is not https"),
    "parameters in a path": (
        {"operations": {"get": {"path": "/x?a={key.id}"}}},
        "parameters belong under query",
    ),
    "handshake that fits everything": (
        {"webhook": {"handshake": [{}]}},
        "needs exactly one of empty_body, body_regex",
    ),
    "typo in a leaf": (
        {"operations": {"create": {"body": {"rating": {"frm": "x", "from": "rating.value"}}}}},
        "did you mean 'from'?",
    ),
    "credentials in a tree": (
        {"operations": {"get": {"query": {"a": {"from": "hook.secret"}}}}},
        "starts with none of",
    ),
    "mixed JWT algorithms": (
        {
            "webhook": {
                "verify": [
                    {
                        "type": "jwt",
                        "source": "query",
                        "name": "t",
                        "algorithms": ["HS256", "RS256"],
                        "key": {"env": "K"},
                    }
                ]
            }
        },
        "never mixed",
    ),
    "handshake that is no expression": (
        {"webhook": {"handshake": [{"body_regex": "webhook_id=(["}]}},
        "webhook.handshake.0: body_regex: 'webhook_id=([' is no regular expression",
    ),
    "setting without a name": (
        {"auth": {"password": {"env": 5}}},
        "auth.password: env names a setting or a file",
    ),
    "kind of a leaf that is a list": (
        {"operations": {"create": {"body": {"rating": {"from": "rating.value", "as": ["int"]}}}}},
        "as: ['int'] is none of",
    ),
    "limit of a leaf that is a word": (
        {
            "operations": {
                "create": {"body": {"review": {"from": "rating.body", "max_length": "many"}}}
            }
        },
        "max_length: 'many' is no number of characters",
    ),
    "key of another section": (
        {"text": {"handler": "x"}},
        "unknown key 'text.handler'; it belongs to another section",
    ),
    "field that is missing": (
        {"fields": {"value": None}},
        "fields.value: is a section with keys of its own",
    ),
    "method that there is not": (
        {"operations": {"get": {"method": "FETCH"}}},
        "operations.get.method: is one of 'GET',",
    ),
    "path without its root": (
        {"operations": {"get": {"path": "x"}}},
        "operations.get.path: is not in its form, ^/;",
    ),
    "unknown credentials": (
        {"auth": {"type": "oauth"}},
        "auth: type: 'oauth' is none of 'none', 'bearer',",
    ),
    "one status instead of a list": (
        {"operations": {"get": {"errors": [{"status": 404, "outcome": "gone"}]}}},
        "operations.get.errors.0.status: is a list",
    ),
    "several parents": (
        {"extends": ["woocommerce", "fera"]},
        "extends: is the name of one connector",
    ),
    "redirects": ({"http": {"redirects": True}}, "http.redirects"),
    "secret of the wrong place": ({"conn": {"a": {"value": "x"}}}, "conn.a"),
}


@pytest.mark.parametrize("case", sorted(MORE_WRONG))
def test_mistake_in_an_extending_manifest_is_refused(case: str, tmp_path: Path) -> None:
    change, complaint = MORE_WRONG[case]
    file = tmp_path / "second-shop.yaml"
    file.write_text(yaml.safe_dump({"extends": "woocommerce", "id": "second-shop", **change}))
    with pytest.raises(Misconfigured) as refusal:
        load_manifest(file, Placeholders({}))
    assert complaint in str(refusal.value)


def test_manifests_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b\nid: a\n")
    (tmp_path / "b.yaml").write_text("extends: a\nid: b\n")
    with pytest.raises(
        Misconfigured, match="extends: a extends b extends a; one of them must stand alone"
    ):
        load_manifest(tmp_path / "a.yaml", Placeholders({}))


def test_manifest_named_as_a_shipped_one_may_extend_it(tmp_path: Path) -> None:
    file = tmp_path / "woocommerce.yaml"
    file.write_text("extends: woocommerce\nid: woocommerce\ntitle: Our shop\n")
    second = tmp_path / "second-shop.yaml"
    second.write_text("extends: woocommerce\nid: second-shop\n")
    assert load_manifest(file, Placeholders({})).title == "Our shop"
    assert load_manifest(second, Placeholders({})).title == "Our shop"


@pytest.mark.parametrize(
    "change",
    [
        {"auth": {"type": "bearer", "token": {"env": "T"}}},
        {"operations": {"get": {"handler": "ours.get"}}},
        {"operations": {"list": {"pagination": {"kind": "next_link"}}}},
    ],
    ids=["credentials", "hook", "pages"],
)
def test_second_shop_may_do_a_thing_in_another_way(change: dict[str, Any], tmp_path: Path) -> None:
    """Nothing of the first way is taken over: its keys mean nothing there."""
    file = tmp_path / "second-shop.yaml"
    file.write_text(yaml.safe_dump({"extends": "woocommerce", "id": "second-shop", **change}))
    manifest = load_manifest(file, Placeholders({}))
    listing = manifest.operations.list
    assert isinstance(listing, OperationSpec)
    is_changed = {
        "auth": manifest.auth.type == "bearer",
        "get": isinstance(manifest.operations.get, Hook),
        "list": listing.pagination.total_pages_header is None and listing.path.endswith("/reviews"),
    }
    assert sum(is_changed.values()) == 1


def test_own_secrets_of_a_second_shop_are_its_own(tmp_path: Path) -> None:
    file = tmp_path / "second-shop.yaml"
    file.write_text(
        "extends: woocommerce\nid: second-shop\nwebhook: {verify: [{type: hmac, header:"
        " X-WC-Webhook-Signature, encoding: base64, secret: {env: SECOND_SECRET}}]}\n"
    )
    manifest = load_manifest(file, Placeholders({"SECOND_SECRET": "second-secret"}))
    assert manifest.webhook is not None
    assert list(manifest.webhook.verify[0].secrets) == ["second-secret"]
    assert "second-secret" not in repr(manifest)
