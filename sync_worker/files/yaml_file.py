"""YAML from files of people: plain values, each with its place, at a cost that the size bounds.

PyYAML takes more than we want. Aliases of aliases make a small file endless, an alias inside itself
never ends, the last of two equal keys wins silently, and a tag may name a type of Python. So the
file is looked through event by event first, and only then made into values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from sync_worker.core.words import is_storable

MAX_BYTES = 256 * 1024  # of a file; ours are below 20 kB
MAX_PARTS = 100_000  # keys, values and items of a file, with each use of an alias
MAX_DEPTH = 100  # lists and mappings inside one another
MAX_NUMBER_CHARACTERS = 1_000
SHOWN = 40  # characters of a bad word in a message

_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(
    _CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq")
)
_NUMBERS = frozenset({f"{_CORE}int", f"{_CORE}float"})
_MERGE = f"{_CORE}merge"
_IN_WORDS = {
    "but found another document": "a second document begins here, a file has one",
    "second occurrence": "the same anchor stands here a second time",
}
# The parser of libyaml where it is there: ten times as fast.
FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadYaml(Exception):
    """A file is no YAML, or not within the bounds; the words begin with the place."""


def read_yaml(path: Path) -> Any:
    """What a file says, within bounds. Raises OSError, BadYaml with line and column."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadYaml(f"it is larger than {MAX_BYTES // 1024} KiB")
    return yaml_value(_text_of(content))


def yaml_value(text: str) -> Any:
    """What a text of YAML says, within bounds. Raises BadYaml with line and column."""
    try:
        _look_through(text)
        loader = FAST_LOADER(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_double_keys(node)
        return _value_of(loader, node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "is no YAML"
        raise _at(mark, _IN_WORDS.get(problem, problem)) from None
    except yaml.YAMLError as error:
        raise BadYaml(_unreadable(error, text)) from None


def _text_of(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadYaml(f"line {line}: is not UTF-8; save it as UTF-8") from None


def _at(mark: Any, why: str) -> BadYaml:
    if mark is None:
        return BadYaml(why[:200])
    return BadYaml(f"line {mark.line + 1}, column {mark.column + 1}: {why[:200]}")


def _unreadable(error: yaml.YAMLError, text: str) -> str:
    """A character that YAML does not allow, with its line."""
    position = getattr(error, "position", None)
    if not isinstance(position, int):
        return str(error).partition("\n")[0][:200]
    line = text.count("\n", 0, position) + 1
    character = f"U+{ord(text[position]):04X}" if position < len(text) else "its end"
    return f"line {line}: the character {character} is not allowed in YAML"


# -- event by event


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun: its anchor, and its parts until now."""

    anchor: str | None
    parts: int = 1


@dataclass(slots=True)
class _Census:
    """Counts the parts of a document as its events come, an alias with all that it stands for."""

    open: list[_Open] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def see(self, event: Any) -> None:
        """Raises BadYaml."""
        match event:
            case yaml.AliasEvent():
                self.add(self.size_of(event), event)
            case yaml.ScalarEvent():
                self.begin(event)
                self.end(_Open(event.anchor))
            case yaml.CollectionStartEvent():
                self.begin(event)
                self.open.append(_Open(event.anchor))
                if len(self.open) > MAX_DEPTH:
                    raise _at(event.start_mark, f"is nested deeper than {MAX_DEPTH} levels")
            case yaml.CollectionEndEvent():
                self.end(self.open.pop())
            case _:  # the frame: of the stream, of the document
                pass

    def size_of(self, alias: yaml.AliasEvent) -> int:
        if any(collection.anchor == alias.anchor for collection in self.open):
            raise _at(alias.start_mark, f"the alias *{alias.anchor} stands inside what it names")
        return self.sizes.get(str(alias.anchor), 1)

    def begin(self, event: Any) -> None:
        if event.tag is not None and event.tag not in _PLAIN_TAGS and event.tag != "!":
            tag = event.tag.replace(_CORE, "!!")[:SHOWN]
            raise _at(event.start_mark, f"the tag {tag} is not taken; write a plain value")
        self.add(1, event)

    def add(self, parts: int, event: Any) -> None:
        self.total += parts
        if self.open:
            self.open[-1].parts += parts
        if self.total > MAX_PARTS:
            why = f"has more than {MAX_PARTS:,} parts, aliases counted at each use"
            raise _at(event.start_mark, why)

    def end(self, closed: _Open) -> None:
        if closed.anchor is not None:
            self.sizes[closed.anchor] = closed.parts
        # Its own first part was counted as it began.
        if self.open:
            self.open[-1].parts += closed.parts - 1


def _look_through(text: str) -> None:
    """Refuse bombs, cycles, depths and tags before anything is built. Raises BadYaml, YAMLError."""
    census = _Census()
    for event in yaml.parse(text, Loader=FAST_LOADER):
        census.see(event)


# -- node by node


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Each node once, however many aliases lead to it."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        yield node
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        for part in parts:
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)


def _refuse_double_keys(root: yaml.Node) -> None:
    """Refuse equal keys of one mapping, and words that no database holds. Raises BadYaml."""
    for node in _nodes(root):
        if isinstance(node, yaml.MappingNode):
            _refuse_double_keys_of(node)
        elif isinstance(node, yaml.ScalarNode):
            _refuse_scalar(node)


def _refuse_double_keys_of(mapping: yaml.MappingNode) -> None:
    first: dict[tuple[str, str], Any] = {}
    for key, _ in mapping.value:
        # Several merges in one mapping are no double: each brings what is not there yet.
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        earlier = first.setdefault((key.tag, key.value), key)
        if earlier is not key:
            line = earlier.start_mark.line + 1
            why = f"the key {key.value[:SHOWN]!r} stands on line {line} already"
            raise _at(key.start_mark, why)


def _refuse_scalar(node: yaml.ScalarNode) -> None:
    if not is_storable(node.value):
        why = f"{node.value[:SHOWN]!r} has a NUL or half a character in it"
        raise _at(node.start_mark, why)
    # To make a number of thousands of digits costs more than to read them.
    if node.tag in _NUMBERS and len(node.value) > MAX_NUMBER_CHARACTERS:
        raise _at(node.start_mark, f"is a number of {len(node.value):,} characters")


def _value_of(loader: Any, root: yaml.Node) -> Any:
    """The value; where a scalar is none of its kind (a 99th month), its place. Raises BadYaml."""
    try:
        return loader.construct_document(root)
    except (ValueError, OverflowError, TypeError) as error:
        bad = _first_bad(root)
        raise _at(bad.start_mark if bad else None, f"{error}"[:200]) from None


def _first_bad(root: yaml.Node) -> yaml.Node | None:
    for node in _nodes(root):
        if not isinstance(node, yaml.ScalarNode) or node.tag == _MERGE:
            continue
        try:
            SafeConstructor().construct_document(node)
        except (ValueError, OverflowError, TypeError, yaml.YAMLError):
            return node
    return None
