"""The pages: a file and a blueprint each.

Their first view is called ``index``: the menu finds it by that.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from sync_console.pages.account import account
from sync_console.pages.activity import activity
from sync_console.pages.audit import audit
from sync_console.pages.compare import compare
from sync_console.pages.held import held
from sync_console.pages.held_acts import held_acts
from sync_console.pages.imports.pages import imports
from sync_console.pages.machines import machines
from sync_console.pages.onboarding import onboarding
from sync_console.pages.overview import overview
from sync_console.pages.rating_decisions import rating_decisions
from sync_console.pages.ratings import ratings
from sync_console.pages.site_maps import site_maps
from sync_console.pages.site_policies import site_policies
from sync_console.pages.sites import sites
from sync_console.pages.users import users
from sync_console.pages.waiting import waiting

# Further pages of a site.
held.register_blueprint(held_acts)
sites.register_blueprint(site_policies)
sites.register_blueprint(site_maps)

PAGES: Sequence[Blueprint] = (
    overview,
    held,
    waiting,
    ratings,
    rating_decisions,
    activity,
    sites,
    account,
    onboarding,
    compare,
    imports,
    machines,
    users,
    audit,
)
