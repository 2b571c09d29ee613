"""``ratings-sync connector webhooks``: our webhooks at the external system."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

import click

from sync_worker.cli.connector.manifests import NAME, file_of, set_up_manifest
from sync_worker.cli.options import JSON, example
from sync_worker.remotes.external.hooks import ExternalHooks, HookState
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens


class EitherOrder(click.Group):
    """Takes ``list NAME`` and ``NAME list``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if len(args) > 1 and args[0] not in self.commands and args[1] in self.commands:
            args[:2] = args[1], args[0]
        return super().parse_args(ctx, args)


@click.group(
    "webhooks", cls=EitherOrder, epilog="Example: ratings-sync connector webhooks list woocommerce"
)
def webhooks() -> None:
    """Our webhooks at the external system: make them, see their state, bring them back.

    The connector's NAME may also come first: `connector webhooks woocommerce list`.
    """


@example("ratings-sync connector webhooks list woocommerce")
@webhooks.command("list")
@NAME
@JSON
def list_webhooks(name: str, as_json: bool) -> None:
    """Our webhooks with their state. Exit code 1 if one is disabled or there is none."""
    _tell(_with_hooks(name, lambda hooks: hooks.ours()), as_json)


@example(
    "ratings-sync connector webhooks register woocommerce --url"
    " https://gw.example.com/webhooks/external/woocommerce"
)
@webhooks.command("register")
@NAME
@click.option(
    "--url", required=True, help="Public address of the gateway's route for this connector."
)
@JSON
def register_webhooks(name: str, url: str, as_json: bool) -> None:
    """Make a webhook for each topic that has none yet."""
    _tell(_with_hooks(name, lambda hooks: hooks.register(url)), as_json)


@example("ratings-sync connector webhooks enable woocommerce")
@webhooks.command("enable")
@NAME
@JSON
def enable_webhooks(name: str, as_json: bool) -> None:
    """Bring back webhooks that the system has disabled."""

    def enable(hooks: ExternalHooks) -> list[HookState]:
        brought_back = hooks.enable()
        click.echo(f"{len(brought_back)} brought back", err=True)
        return hooks.ours()

    _tell(_with_hooks(name, enable), as_json)


def _with_hooks(name: str, act: Callable[[ExternalHooks], list[HookState]]) -> list[HookState]:
    manifest = set_up_manifest(file_of(name))
    http = http_of(manifest, NoBudget(), OwnTokens())
    try:
        return act(ExternalHooks(manifest, http))
    finally:
        http.close()


def _tell(hooks: Sequence[HookState], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(hook) for hook in hooks]))
    elif not hooks:
        click.echo(
            "there is no webhook of ours; make them with `ratings-sync connector webhooks register`"
        )
    else:
        for hook in hooks:
            state = "works" if hook.is_enabled else "DISABLED"
            click.echo(f"{hook.id}\t{state}\t{hook.topic}\t{hook.url}")
    sys.exit(0 if hooks and all(hook.is_enabled for hook in hooks) else 1)
