"""The README's recording of ``make demo``: a demo played now, as one SVG for each theme.

``python -m tests.recording FOLDER`` writes ``demo-light.svg`` and ``demo-dark.svg``.
"""

from __future__ import annotations

import html
import io
import os
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from sync_sandbox.demo import play

WIDTH = 80  # columns: what the demo takes where its output is no terminal
END = "The addresses were:"  # other ones each time; the picture ends before them
NORMAL = [(36, 41, 47), (207, 34, 46), (17, 99, 41), (125, 78, 0)]
NORMAL += [(9, 105, 218), (130, 80, 223), (27, 124, 131), (110, 119, 129)]
BRIGHT = [(110, 118, 129), (255, 123, 114), (63, 185, 80), (210, 153, 34)]
BRIGHT += [(88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)]
THEMES = {
    "light": TerminalTheme((255, 255, 255), (36, 41, 47), NORMAL),
    "dark": TerminalTheme((13, 17, 23), (230, 237, 243), BRIGHT),
}
# Rich's own form fetches its letters from a stranger's host; this one takes what the reader has.
FORM = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg"
  role="img" aria-label="make demo">
<style>
.{unique_id}-matrix {{
  font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, monospace;
}}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def record(folder: Path) -> bool:
    """Play the demo and write its pictures, if its verdict is good; returns whether it is."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=False)
    is_good = play(os.environ, once=True, console=console)
    if is_good:
        folder.mkdir(parents=True, exist_ok=True)
        told = console.export_text(styles=True).partition(END)[0].rstrip()
        for name, theme in THEMES.items():
            (folder / f"demo-{name}.svg").write_text(picture(told, theme))
    return is_good


def picture(told: str, theme: TerminalTheme) -> str:
    """What a terminal shows of ``told``, ANSI colours included."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(told))
    svg = console.export_svg(
        title="$ make demo", theme=theme, code_format=FORM, unique_id="demo", font_aspect_ratio=0.6
    )
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


def words_of(svg: str) -> list[str]:
    """The lines of text of a picture, without what differs from demo to demo."""
    lines: dict[float, list[str]] = {}
    for place, text in re.findall(
        r'<text class="demo-r\d+"[^>]*y="([\d.]+)"[^>]*>(.*?)</text>', svg
    ):
        lines.setdefault(float(place), []).append(html.unescape(text).replace("\xa0", " "))
    return same_words("\n".join("".join(parts) for _, parts in sorted(lines.items())))


def same_words(told: str) -> list[str]:
    """The lines that say something, without durations and spaces: a picture has none in tables."""
    lines = re.sub(r"\d+\.\d s\)", "… s)", told).splitlines()
    return ["".join(line.split()) for line in lines if line.strip()]


if __name__ == "__main__":
    sys.exit(0 if record(Path(sys.argv[1])) else 1)
