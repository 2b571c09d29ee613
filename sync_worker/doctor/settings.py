"""Checks of what is set: names, the Wix app, and the manifests of the connectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sync_worker.config import RETIRED, Settings, misspelt_names
from sync_worker.doctor.check import Check, bad, note, ok
from sync_worker.manifest.check import weak_gone_rules
from sync_worker.wiring import Wiring


def check_settings(wiring: Wiring) -> Iterator[Check]:
    settings, environ = wiring.settings, wiring.environ
    missing = [name for name in ("WIX_APP_ID", "WIX_APP_SECRET") if not _text(settings, name)]
    if not settings.has_app:
        yield ok(
            "settings",
            f"no app; the owner's API key opens site {settings.wix_site_id}, Wix at"
            f" {settings.wix_api_base_url}",
        )
    elif missing:
        yield bad(
            "settings",
            f"{' and '.join(missing)} not set",
            "copy both from your app's dashboard at dev.wix.com (OAuth) into .env, or set …_FILE;"
            " for a site of your own without an app set WIX_API_KEY and WIX_SITE_ID instead",
        )
    else:
        yield ok("settings", f"app {settings.wix_app_id}, Wix at {settings.wix_api_base_url}")
    yield from _unknown_names(environ)
    yield from _older_names(settings, environ)


def check_connectors(wiring: Wiring) -> Iterator[Check]:
    for manifest in wiring.manifests.values():
        yield ok(f"connector {manifest.id}", f"manifest is good; base address {manifest.base_url}")
        for rule in weak_gone_rules(manifest):
            yield note(
                f"connector {manifest.id} gone",
                f"{rule.place}: {rule.advice}",
                "change this rule in its manifest (docs/connectors.md, Gone)",
            )


def _text(settings: Settings, name: str) -> str:
    value = getattr(settings, name.lower())
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _unknown_names(environ: Mapping[str, str]) -> Iterator[Check]:
    """A typing error would otherwise go unnoticed."""
    for name, meant in misspelt_names(environ).items():
        yield note(
            "settings", f"{name} is no setting, and nothing reads it", f"did you mean {meant}?"
        )


def _older_names(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """What somebody may wonder about: which of two names counts, and what does nothing now."""
    for name in RETIRED:
        if environ.get(name):
            yield note("settings", f"{name} does nothing any more", f"remove {name}")
    if settings.worker_slots and settings.worker_concurrency:
        yield note(
            "settings",
            "WORKER_SLOTS and its older name WORKER_CONCURRENCY are both set; a worker has"
            f" {settings.worker_slots} slots, as WORKER_SLOTS says",
            "remove WORKER_CONCURRENCY",
        )
