"""Pairs of two catalogues, in words and as files: for ``map entities propose`` and the setup."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sync_worker.cli.map.importing import save_rows
from sync_worker.core.values import EntityRef
from sync_worker.files.mapping_files import ENTITY_COLUMNS, NOTE
from sync_worker.files.proposals import ALL_WAYS, EntityProposal, pair_of


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
