"""``ratings-sync connector webhooks``: our webhooks at the external system."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict

import click
from sqlalchemy.exc import SQLAlchemyError

from sync_worker.cli.connector.manifests import NAME, file_of, set_up_manifest
from sync_worker.cli.options import JSON, example
from sync_worker.config import environment, load_settings
from sync_worker.core.errors import SyncError
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.remotes.external.hooks import ExternalHooks, HookState
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from sync_worker.wiring.databases import Databases

POLL_SECONDS = 0.5


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
    """Our webhooks with their state. Exit code 1 if one is disabled or there is none.

    "works": enabled, and the system has reached the gateway.
    """
    with _hooks_of(name) as hooks:
        _tell(hooks.ours(), as_json, is_heard=_heard_ago(hooks.connector) is not None)


@example(
    "ratings-sync connector webhooks register woocommerce --url"
    " https://gw.example.com/webhooks/external/woocommerce"
)
@webhooks.command("register")
@NAME
@click.option(
    "--url", required=True, help="Public address of the gateway's route for this connector."
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 600),
    default=3.0,
    show_default=True,
    help="Seconds to wait until the system's greeting has reached the gateway.",
)
@JSON
def register_webhooks(name: str, url: str, wait: float, as_json: bool) -> None:
    """Make a webhook for each topic that has none yet, and see whether it reaches the gateway."""
    began = time.monotonic()
    with _hooks_of(name) as hooks:
        for doubt in hooks.doubts(url):
            click.echo(f"{url}: {hooks.connector} may never call it: {doubt}", err=True)
        before = {hook.id for hook in hooks.ours()}
        ours = hooks.register(url)
        is_new = any(hook.id not in before for hook in ours)
        is_heard = _is_heard(hooks, wait, began if is_new else None)
        if not is_heard:
            _say_not_heard(hooks, url)
        _tell(ours, as_json, is_heard=is_heard)


@example("ratings-sync connector webhooks enable woocommerce")
@webhooks.command("enable")
@NAME
@JSON
def enable_webhooks(name: str, as_json: bool) -> None:
    """Bring back webhooks that the system has disabled."""
    with _hooks_of(name) as hooks:
        brought_back = hooks.enable()
        click.echo(f"{len(brought_back)} brought back", err=True)
        _tell(hooks.ours(), as_json, is_heard=_heard_ago(hooks.connector) is not None)


@contextmanager
def _hooks_of(name: str) -> Iterator[ExternalHooks]:
    manifest = set_up_manifest(file_of(name))
    http = http_of(manifest, NoBudget(), OwnTokens())
    try:
        yield ExternalHooks(manifest, http)
    finally:
        http.close()


def _is_heard(hooks: ExternalHooks, seconds: float, since: float | None) -> bool:
    """Whether the system reaches the gateway; ``since``: a new hook was made then."""
    if since is None or not hooks.greets:
        return _heard_ago(hooks.connector) is not None
    while True:
        heard_ago = _heard_ago(hooks.connector)
        # The gateway notes a greeting at most once a second.
        if heard_ago is not None and heard_ago <= time.monotonic() - since + 1.0:
            return True
        if time.monotonic() - since >= seconds:
            return False
        time.sleep(POLL_SECONDS)


def _heard_ago(connector: str) -> float | None:
    """Seconds since the system reached the gateway; ``None``: never, as far as we know."""
    try:
        settings = load_settings(environment())
        with closing(Databases(settings, makes_ledger=False)) as databases:
            state = ledger_admin(databases.aside).hook_states.of(connector)
    except (SyncError, OSError, SQLAlchemyError):
        return None
    return state.heard_ago if state is not None else None


def _say_not_heard(hooks: ExternalHooks, url: str) -> None:
    greets = "greets a new webhook at once" if hooks.greets else "calls with the first change"
    click.echo(
        f"nothing has reached the gateway yet, and {hooks.connector} {greets}. Is the gateway"
        f" running, with the same DATABASE_URL, and does {url} lead to it from outside?"
        f" `ratings-sync connector webhooks list {hooks.connector}` shows when it does",
        err=True,
    )


def _tell(hooks: Sequence[HookState], as_json: bool, *, is_heard: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(hook) | {"is_heard": is_heard} for hook in hooks]))
    elif not hooks:
        click.echo(
            "there is no webhook of ours; make them with `ratings-sync connector webhooks register`"
        )
    else:
        for hook in hooks:
            click.echo(f"{hook.id}\t{_word(hook, is_heard)}\t{hook.topic}\t{hook.url}")
    sys.exit(0 if hooks and all(hook.is_enabled for hook in hooks) else 1)


def _word(hook: HookState, is_heard: bool) -> str:
    if not hook.is_enabled:
        return "DISABLED"
    return "works" if is_heard else "enabled, not heard of yet"
