"""Where a place of a manifest stands in its file: line and column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from sync_worker.files.yaml_file import FAST_LOADER


@dataclass(frozen=True, slots=True)
class Spot:
    """A line and a column of a file, both from 1; ``depth``: so many parts of the place are there.

    What is inherited, or missing, stands nowhere below that.
    """

    file: Path
    line: int
    column: int
    depth: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}, column {self.column}"


def spot_of(place: Sequence[str], *files: Path) -> Spot | None:
    """Where a place stands, or what is nearest above it.

    ``files``: a manifest, then those that it extends. ``None`` if no file can be read.
    """
    found = [spot for file in files for spot in _spots(place, file)]
    # Of equals the first: what the manifest says itself counts.
    return max(found, key=lambda spot: spot.depth, default=None)


def _spots(place: Sequence[str], file: Path) -> Iterator[Spot]:
    try:
        node = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=FAST_LOADER)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return
    if node is None:
        return
    mark, depth = node.start_mark, 0
    for part in place:
        inside = _inside(node, part)
        if inside is None:
            break
        key, node = inside
        mark, depth = key.start_mark, depth + 1
    if depth or not place:
        yield Spot(file, mark.line + 1, mark.column + 1, depth)


def _inside(node: yaml.Node, part: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and the value at one part of a place; of an item of a list the item itself."""
    if isinstance(node, yaml.SequenceNode):
        is_there = part.isdecimal() and int(part) < len(node.value)
        return (node.value[int(part)],) * 2 if is_there else None
    if not isinstance(node, yaml.MappingNode):
        return None
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value == part:
            return key, value
        if key.tag == "tag:yaml.org,2002:merge":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
    return next(filter(None, (_inside(base, part) for base in merged)), None)
