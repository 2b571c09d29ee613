"""The trees of a manifest's calls: whether each leaf says something that can be filled. Pure."""

from __future__ import annotations

from collections.abc import Set

from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_writer import CREATE_ROOTS, HOOK_ROOTS, ROOTS, check_tree

PARTS = ("path", "query", "headers", "body")


def problem_of_trees(
    manifest: Manifest, known: Manifest | None = None
) -> tuple[tuple[str, ...], str] | None:
    """The first place that says nothing of use, with the reason; ``None``: there is none.

    ``known``: a manifest without such a place; calls that both share are not looked at again.
    """
    good = {id(operation) for _, operation in known.specs} if known is not None else set()
    for place, operation in manifest.specs:
        if id(operation) in good:
            continue
        roots = _roots_at(place, manifest)
        for part in PARTS:
            problem = check_tree(getattr(operation, part), is_path=part == "path", roots=roots)
            if problem:
                return (*place.split("."), part), problem
    return None


def _roots_at(place: str, manifest: Manifest) -> Set[str]:
    """What the leaves of a call may begin with."""
    if place.startswith("webhook."):
        return HOOK_ROOTS
    if place == "operations.create" and manifest.operations.author is not None:
        return CREATE_ROOTS
    return ROOTS
