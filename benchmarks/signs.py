"""``python -m benchmarks.signs``: how dense the product's code is, and how large its parts are.

``--against COMMIT`` prints the same figures of another commit beside them. The direction matters,
not the digit. The hard limits among them are a test: tests/unit/test_signs.py.
"""

from __future__ import annotations

import ast
import io
import subprocess
import tarfile
import tempfile
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
PRODUCT = ("sync_worker", "webhook_gateway", "sync_console")
PLAIN_ROOMS = ("engine", "intake", "ledger", "remotes", "reconcile")
MAX_FILES, MAX_CLASS, MAX_FUNCTION, MAX_FILE = 20, 250, 50, 350  # the last three in lines
MAX_DEPTH = 1  # classes of our own above a class
MAX_LINE = 100
MAX_ENTRIES = 27  # of sync_worker: a postcard
MANY_BRANCHES = 6
NO_DEPTH = {"Protocol", "Enum", "StrEnum", "IntEnum", "Exception", "BaseException"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp)


@dataclass(frozen=True, slots=True)
class Sized:
    """A file, class or function, or a line that breaks a rule."""

    where: str
    lines: int


@dataclass
class Source:
    """One file of the product."""

    path: Path
    name: str
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> Sequence[ast.AST]:
        """All of the tree, walked once for all figures."""
        return list(ast.walk(self.tree))

    @cached_property
    def lines(self) -> Sequence[str]:
        return self.text.splitlines()

    @property
    def is_history(self) -> bool:
        """A migration stays as it was when the first installation ran it."""
        return "/migrations/versions/" in self.name

    @property
    def is_plain_room(self) -> bool:
        parts = Path(self.name).parts
        return len(parts) > 1 and parts[1] in PLAIN_ROOMS

    @property
    def comments(self) -> int:
        """Lines that are a comment or end in one; marks for tools (noqa, type) aside."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return sum(
            token.type == tokenize.COMMENT and not token.string.startswith(("# noqa", "# type:"))
            for token in tokens
        )

    def classes(self) -> Iterator[ast.ClassDef]:
        return (node for node in self.nodes if isinstance(node, ast.ClassDef))

    def functions(self) -> Iterator[Function]:
        return (node for node in self.nodes if isinstance(node, Function))

    def if_expressions(self) -> Iterator[ast.IfExp]:
        return (node for node in self.nodes if isinstance(node, ast.IfExp))

    def sized(self, node: ast.ClassDef | Function) -> Sized:
        """From its own line to its last; decorators, such as a command's options, do not count."""
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        return Sized(f"{self.name}:{node.lineno} {node.name}", lines)

    def dense_expressions(self) -> Iterator[str]:
        """If-expressions inside another one, an argument list or a comprehension."""
        kinds: Mapping[str, list[ast.AST]] = {
            "if-expression": [],
            "argument": [],
            "comprehension": [],
        }
        for node in self.nodes:
            match node:
                case ast.IfExp():
                    kinds["if-expression"] += [node.body, node.test, node.orelse]
                case ast.Call():
                    kinds["argument"] += [*node.args, *(word.value for word in node.keywords)]
                case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                    kinds["comprehension"] += [node]
                case _:
                    pass
        for kind, owners in kinds.items():
            inner = {
                (one.lineno, one.col_offset)
                for owner in owners
                for one in ast.walk(owner)
                if isinstance(one, ast.IfExp)
            }
            for line, _ in sorted(inner):
                yield f"{self.name}:{line} in {kind}"


@dataclass(frozen=True)
class Code:
    """The product at one commit."""

    root: Path

    @cached_property
    def sources(self) -> Sequence[Source]:
        paths = sorted(path for folder in PRODUCT for path in (self.root / folder).rglob("*.py"))
        return [
            Source(path, str(path.relative_to(self.root)), path.read_text(encoding="utf-8"))
            for path in paths
        ]

    def entries(self) -> int:
        """Of the folder sync_worker, as ``ls`` shows them in a fresh clone.

        A room that has gone leaves its compiled files behind where it was once run.
        """
        entries = (self.root / "sync_worker").iterdir()
        return sum(not one.name.startswith("__") for one in entries if not _is_left_over(one))

    def folders(self) -> Sequence[Sized]:
        """With the number of their files."""
        counts = []
        rooms = [self.root / "sync_worker", self.root / "sync_console"]
        for folder in [each for room in rooms for each in (room, *room.rglob("*"))]:
            if folder.is_dir() and folder.name != "__pycache__":
                files = sum(path.is_file() for path in folder.iterdir())
                counts.append(Sized(str(folder.relative_to(self.root)), files))
        return _largest_first(counts)

    @cached_property
    def kept(self) -> Sequence[Source]:
        """All but migrations: what somebody can still shorten."""
        return [one for one in self.sources if not one.is_history]

    def files(self) -> Sequence[Sized]:
        return _largest_first([Sized(one.name, len(one.lines)) for one in self.kept])

    def classes(self) -> Sequence[Sized]:
        return _largest_first([one.sized(node) for one in self.kept for node in one.classes()])

    def functions(self) -> Sequence[Sized]:
        return _largest_first([one.sized(node) for one in self.kept for node in one.functions()])

    def depths(self) -> Sequence[Sized]:
        """Classes of our own above each class.

        Protocols, exceptions and enums aside, and a base that only configures its framework.
        """
        bases = {
            node.name: [_name_of(base) for base in node.bases]
            for one in self.sources
            for node in one.classes()
            if not _only_configures(node)
        }
        places = {
            node.name: f"{one.name}:{node.lineno} {node.name}"
            for one in self.sources
            for node in one.classes()
        }
        return _largest_first(
            [
                Sized(places[name], _depth(name, bases))
                for name in bases
                if not _roots(name, bases) & NO_DEPTH
            ]
        )

    def dense_expressions(self) -> Sequence[str]:
        return [
            where for one in self.sources if one.is_plain_room for where in one.dense_expressions()
        ]

    def if_expressions_each_1000_lines(self) -> float:
        return 1000 * sum(len(list(one.if_expressions())) for one in self.sources) / self.count

    def branches_a_line(self) -> float:
        """In functions with six branches or more."""
        branches = lines = 0
        for one in self.sources:
            for node in one.functions():
                count = _branches(node)
                if count >= MANY_BRANCHES:
                    branches += count
                    lines += one.sized(node).lines
        return branches / max(1, lines)

    def long_lines(self) -> float:
        """Percent of all lines."""
        long = sum(len(line) > MAX_LINE for one in self.sources for line in one.lines)
        return 100 * long / self.count

    def comments_each_100_lines(self) -> float:
        return 100 * sum(one.comments for one in self.sources) / self.count

    @cached_property
    def count(self) -> int:
        """Lines that hold something."""
        return sum(bool(line.strip()) for one in self.sources for line in one.lines)


def _is_left_over(entry: Path) -> bool:
    return entry.is_dir() and not any(one.name != "__pycache__" for one in entry.iterdir())


def _largest_first(sizes: Sequence[Sized]) -> Sequence[Sized]:
    return sorted(sizes, key=lambda one: (-one.lines, one.where))


def _name_of(base: ast.expr) -> str:
    match base:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _name_of(value)
        case _:
            return ""


def _only_configures(node: ast.ClassDef) -> bool:
    """Whether a class holds its framework's settings (pydantic's ``model_config``), and no more."""
    body = [one for one in node.body if not isinstance(one, ast.Expr)]
    return bool(body) and all(
        isinstance(one, ast.Assign) and [_name_of(name) for name in one.targets] == ["model_config"]
        for one in body
    )


def _depth(name: str, bases: Mapping[str, Sequence[str]]) -> int:
    return max((1 + _depth(base, bases) for base in bases[name] if base in bases), default=0)


def _roots(name: str, bases: Mapping[str, Sequence[str]]) -> set[str]:
    """All classes above one, ours and others'."""
    above = set(bases.get(name, ()))
    return above.union(*(_roots(base, bases) for base in above if base in bases))


def _branches(node: ast.AST) -> int:
    """Of a function, without those of the functions inside it."""
    count = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            continue
        match child:
            case ast.BoolOp():
                count += len(child.values) - 1
            case ast.Match():
                count += len(child.cases)
            case ast.comprehension():
                count += 1 + len(child.ifs)
            case _ if isinstance(child, BRANCHES):
                count += 1
            case _:
                pass
        count += _branches(child)
    return count


def violations(code: Code) -> Mapping[str, Sequence[str]]:
    """What breaks a hard limit, by its sign."""
    return {sign: find(code) for sign, find in SIGNS.items()}


def _beyond(sizes: Sequence[Sized], most: int) -> Sequence[str]:
    return [f"{one.where}: {one.lines}" for one in sizes if one.lines > most]


def _beyond_a_postcard(code: Code) -> Sequence[str]:
    entries = code.entries()
    return [] if entries <= MAX_ENTRIES else [f"sync_worker: {entries} entries"]


# Each with what finds its violations: known without a look at the code.
SIGNS: Mapping[str, Callable[[Code], Sequence[str]]] = {
    f"at most {MAX_FILES} files in a folder": lambda code: _beyond(code.folders(), MAX_FILES),
    f"at most {MAX_CLASS} lines in a class": lambda code: _beyond(code.classes(), MAX_CLASS),
    f"at most {MAX_FUNCTION} lines in a function": lambda code: _beyond(
        code.functions(), MAX_FUNCTION
    ),
    f"at most {MAX_FILE} lines in a file": lambda code: _beyond(code.files(), MAX_FILE),
    f"at most {MAX_DEPTH} class of our own above a class": lambda code: _beyond(
        code.depths(), MAX_DEPTH
    ),
    "no dense if-expression in " + ", ".join(PLAIN_ROOMS): Code.dense_expressions,
    "sync_worker fits on a postcard": _beyond_a_postcard,
}


def figures(code: Code) -> Mapping[str, str]:
    """In words, by sign."""
    return {
        "entries of sync_worker": str(code.entries()),
        "files in the fullest folder": _first(code.folders()),
        "lines of the largest class": _first(code.classes()),
        "lines of the largest function": _first(code.functions()),
        "lines of the largest file": _first(code.files()),
        "classes of our own above a class": _first(code.depths()),
        "if-expressions in 1,000 lines": f"{code.if_expressions_each_1000_lines():.1f}",
        "dense if-expressions in five rooms": _dense(code),
        f"branches a line, functions of {MANY_BRANCHES} or more": f"{code.branches_a_line():.2f}",
        f"lines over {MAX_LINE} characters": f"{code.long_lines():.1f} %",
        "comments in 100 lines": f"{code.comments_each_100_lines():.1f}",
    }


def _dense(code: Code) -> str:
    """Nothing for a commit from before the rooms."""
    has_rooms = any(one.is_plain_room for one in code.sources)
    return str(len(code.dense_expressions())) if has_rooms else "–"


def _first(sizes: Sequence[Sized]) -> str:
    return f"{sizes[0].lines} ({sizes[0].where.split('/', 1)[-1]})"


@click.command()
@click.option("--against", metavar="COMMIT", help="Print the figures of this commit, too.")
@click.option("--violations", "is_listed", is_flag=True, help="List what breaks a hard limit.")
def main(against: str | None, is_listed: bool) -> None:
    """How dense the product's code is, and how large its parts are."""
    console = Console(width=170)
    here = Code(ROOT)
    columns = {"now": figures(here)}
    if against is not None:
        with tempfile.TemporaryDirectory() as folder:
            columns = {against: figures(_code_of(against, Path(folder))), **columns}
    table = Table("", *columns)
    for sign in columns["now"]:
        table.add_row(sign, *(column[sign] for column in columns.values()))
    console.print(table)
    if is_listed:
        for sign, places in violations(here).items():
            console.print(f"{sign}: {len(places) or 'kept'}", highlight=False)
            for place in places:
                console.print(f"  {place}", highlight=False, soft_wrap=True)


def _code_of(commit: str, folder: Path) -> Code:
    """Raises ClickException for a commit that git does not know."""
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, *PRODUCT], capture_output=True, check=False
    )
    if packed.returncode != 0:
        raise click.ClickException(packed.stderr.decode().strip())
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return Code(folder)


if __name__ == "__main__":
    main()
