"""What somebody can look at or do on a page, a program and a command can, too.

The views and their rights come from the console itself: a new page fails here before it is named.
"""

from __future__ import annotations

from collections.abc import Mapping

import click
import pytest

from sync_console.api.endpoints import ENDPOINTS
from sync_console.web.parts import right_of
from sync_worker.cli.commands import cli
from sync_worker.services.access.who import RIGHTS, Role
from tests.integration.console.ground import Ground
from tests.integration.console.test_rights_of_routes import rules_of

# By view: the endpoint of the API, and the command.
EACH: Mapping[str, tuple[str, str]] = {
    "overview.index": ("overview", "status"),
    "held.index": ("held_groups", "held reasons"),
    "held.group": ("held_rows", "held"),
    "held.row": ("held_one", "held show"),
    "held.acts.release": ("held_release", "held release"),
    "held.acts.drop": ("held_drop", "held drop"),
    "held.acts.give_product": ("held_map", "map entities import"),
    "held.acts.give_contact": ("held_contact", "map contacts import"),
    "held.acts.choose": ("held_choose", "rating choose"),
    "held.acts.release_chosen": ("held_release", "held release"),
    "held.acts.release_group": ("held_release", "held release"),
    "held.acts.drop_group": ("held_drop", "held drop"),
    "waiting.index": ("waiting", "status"),
    "waiting.try_now": ("waiting_try", "held try-now"),
    "ratings.index": ("ratings", "search"),
    "ratings.table": ("ratings", "search"),
    "ratings.one": ("rating", "rating show"),
    "ratings.delivery": ("held_one", "held show"),
    "rating_decisions.compare": ("rating_compare", "rating compare"),
    "rating_decisions.make": ("rating_make", "rating make"),
    "rating_decisions.stop": ("rating_stop", "rating stop"),
    "rating_decisions.go_on": ("rating_go_on", "rating go-on"),
    "rating_decisions.release": ("held_release", "held release"),
    "rating_decisions.undo": ("history_undo", "rating undo"),
    "activity.index": ("activity", "history"),
    "sites.index": ("sites", "site list"),
    "sites.one": ("site", "site show"),
    "sites.pause": ("site_pause", "site pause"),
    "sites.resume": ("site_resume", "site resume"),
    "sites.policies.index": ("site", "site show"),
    "sites.policies.preview": ("site_policies_preview", "site policy --preview"),
    "sites.policies.change": ("site_policies", "site policy"),
    "sites.maps.index": ("site_mappings", "map entities list"),
    "sites.maps.confirm": ("site_pairs_confirm_all", "onboard pairs --confirm"),
    "sites.maps.refuse": ("site_pairs_refuse", "onboard pairs --refuse"),
    "sites.maps.send_file": ("site_mappings_import", "map entities import"),
    "sites.maps.remove": ("site_mappings_remove", "map entities remove"),
    "account.index": ("site_account", "account show"),
    "account.give": ("site_account_give", "account add"),
    "account.probe": ("site_account_probe", "account probe"),
    "account.pause": ("site_account_pause", "account pause"),
    "account.resume": ("site_account_resume", "account resume"),
    "account.rotate_address": ("site_account_address_rotate", "account address rotate"),
    "account.revoke": ("site_account_revoke", "account revoke"),
    "onboarding.index": ("site_onboarding", "onboard status"),
    "onboarding.go_on": ("site_onboarding_run", "onboard run"),
    "onboarding.skip": ("site_onboarding_skip", "onboard skip"),
    "onboarding.again": ("site_onboarding_again", "onboard again"),
    "compare.index": ("comparisons", "comparisons"),
    "compare.site": ("site_comparisons", "comparisons"),
    "compare.look": ("site_comparisons_look", "reconcile --dry-run"),
    "compare.run": ("site_comparisons_run", "reconcile"),
    "compare.let_deletes_go": ("site_comparisons_run", "reconcile --allow-deletes"),
    "imports.index": ("site_imports", "imports list"),
    "imports.send": ("site_imports_send", "imports send"),
    "imports.one": ("site_import", "imports show"),
    "imports.rejected_file": ("site_import_rejected", "imports rejected"),
    "imports.look": ("site_import_look", "imports look"),
    "imports.run": ("site_import_run", "imports run"),
    "imports.stop": ("site_import_stop", "imports stop"),
    "imports.remove": ("site_import_remove", "imports remove"),
    "machines.index": ("machines", "status"),
    "users.index": ("users", "console user list"),
    "users.invite": ("users_invite", "console user add"),
    "users.change_role": ("user_role", "console user role"),
    "users.end_sessions": ("user_end_sessions", "console user end-sessions"),
    "users.remove": ("user_remove", "console user remove"),
    "audit.index": ("audit", "console audit"),
}
# What only a program asks for beside those: parts of what one page shows, or other words for it.
MORE: Mapping[str, str] = {
    "held_preview": "held release --preview",
    "site_pairs": "onboard pairs",
    "site_pairs_confirm": "onboard pairs --confirm",
    "site_account_settings": "connector show",
    "site_account_change": "account set",
    "comparison": "comparisons",
    "site_import_rows": "imports rows",
    "tokens": "console token list",
    "token_revoke": "console token revoke",
}


def command_of(words: str) -> click.Command:
    """The command that a line calls; fails where it, or an option of it, is not there."""
    found: click.Command = cli
    for word in words.split():
        if word.startswith("--"):
            assert any(word in option.opts for option in found.params), words
            continue
        assert isinstance(found, click.Group), words
        inner = found.get_command(click.Context(found), word)
        assert inner is not None, words
        found = inner
    return found


def test_each_view_has_its_endpoint_and_its_command(ground: Ground) -> None:
    views = {rule.endpoint for rule, _method in rules_of(ground.app)}
    assert views == set(EACH)
    assert {of.name for of in ENDPOINTS} == {api for api, _ in EACH.values()} | set(MORE)
    for words in [*(command for _, command in EACH.values()), *MORE.values()]:
        command_of(words)


@pytest.mark.parametrize("role", list(Role))
def test_role_may_the_same_on_a_page_and_as_a_program(role: Role, ground: Ground) -> None:
    """The table of roles and actions: it is made of the rights that each side declares."""
    rights = {of.name: of.right for of in ENDPOINTS}
    for view, (api, _command) in EACH.items():
        right = right_of(ground.app.view_functions[view])
        assert right is not None
        assert (right in RIGHTS[role]) == (rights[api] in RIGHTS[role]), (view, api)
