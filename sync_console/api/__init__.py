"""The JSON API, ``/api/v1``: what the pages show and do, for programs with a token."""

from __future__ import annotations

from sync_console.api import (
    accounts,
    comparisons,
    deciding,
    document,
    imports,
    looking,
    mending,
    onboarding,
    people,
    sites,
    tokens,
)
from sync_console.api.endpoints import api

__all__ = [
    "accounts",
    "api",
    "comparisons",
    "deciding",
    "document",
    "imports",
    "looking",
    "mending",
    "onboarding",
    "people",
    "sites",
    "tokens",
]
