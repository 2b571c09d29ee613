"""The pages: a file and a blueprint each.

Their first view is called ``index``: the menu finds it by that.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from sync_console.pages.overview import overview

PAGES: Sequence[Blueprint] = (overview,)
