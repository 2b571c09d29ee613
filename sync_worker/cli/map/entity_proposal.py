"""Pairs of two catalogues, in words and as files: for ``map entities propose`` and the setup."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import click

from sync_worker.cli.map.importing import save_rows
from sync_worker.core.values import EntityRef, Side, Site
from sync_worker.core.values.catalogue import CatalogueItem
from sync_worker.files.mapping_files import ENTITY_COLUMNS, NOTE
from sync_worker.files.proposals import ALL_WAYS, EntityProposal, pair_of
from sync_worker.services.onboarding.catalogues import read_whole, refuse_unlisted
from sync_worker.wiring import wiring


def live_catalogue(site: Site, side: Side) -> list[CatalogueItem]:
    """What one side lists now, at the pace of its budget. Raises SyncError."""
    catalogues = wiring().remotes.catalogues(site, time.sleep)
    refuse_unlisted({side: catalogues[side]})
    items, unreadable = read_whole(catalogues[side])
    if unreadable:
        click.echo(f"{unreadable} rows of the {side} catalogue have no id", err=True)
    return items


def describe(proposal: EntityProposal) -> str:
    """How many pairs, in words."""
    ways = Counter(pair.way for pair in proposal.pairs)
    by = ", ".join(f"{ways[way]} by {way}" for way in ALL_WAYS)
    return f"{len(proposal.pairs)} pairs ({by}), {len(proposal.doubts)} doubtful"


def save_entity_proposal(
    proposal: EntityProposal, namespace: str, group: str, out: Path | None
) -> None:
    """Save the pairs in the form that import takes; beside them what is doubtful."""
    rows = []
    for pair in proposal.pairs:
        note = f"by {pair.way}: {pair.wix.name or pair.wix.sku}".rstrip(": ")
        rows.append((*columns_of(*pair_of(pair, namespace, group)), note))
    save_rows([*ENTITY_COLUMNS, NOTE], rows, out)
    if out is not None:
        unmatched = [
            (doubt.side, doubt.item.id, doubt.item.sku, doubt.item.name, doubt.reason)
            for doubt in proposal.doubts
        ]
        save_rows(("side", "id", "sku", "name", "reason"), unmatched, doubtful(out))


def columns_of(wix: EntityRef, external: EntityRef) -> tuple[str, ...]:
    """Of a mapping file."""
    return wix.namespace, wix.group, wix.entity_id, external.group, external.entity_id


def doubtful(out: Path) -> Path:
    """The file beside ``out`` for things without a certain twin."""
    return out.with_name(f"{out.stem}.doubtful.csv")
