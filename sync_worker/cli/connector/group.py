"""``ratings-sync connector``: which commands it has."""

from __future__ import annotations

import click

from sync_worker.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "list": Lazy(
        "connector.show:list_connectors", "Every connector that ships or that CONNECTORS names."
    ),
    "show": Lazy(
        "connector.show:show",
        "What a connector can do and where its limits are, derived from its manifest.",
    ),
    "check": Lazy("connector.check:check", "Schema, paths, scales and examples of a manifest."),
    "new": Lazy(
        "connector.new:new",
        "A manifest that passes `connector check`: a skeleton, or a draft from samples.",
    ),
    "schema": Lazy("connector.new:schema", "The JSON Schema of manifests, for editors."),
    "webhooks": Lazy(
        "connector.webhooks:webhooks",
        "Our webhooks at the external system: make them, see their state, bring them back.",
    ),
    "conformance": Lazy(
        "connector.conformance:conformance",
        "Measure a live system or a stand-in, and say where declared and measured differ (exit code"
        " 1).",
    ),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog="Example: ratings-sync connector check woocommerce",
)
def connector() -> None:
    """Connectors: manifests that say how an external review system is read, written and heard.

    NAME is a connector that ships, one that CONNECTORS names, or the path of a manifest.
    """
