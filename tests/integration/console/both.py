"""One ledger, asked by command and as a program."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sync_worker.core.values import SiteState
from tests.integration.console.ground import Ground
from tests.integration.console.held_shop import HeldShop
from tests.integration.console.programs import Program
from tests.integration.shell import Shell

WHY = ("--why", "w")


@dataclass
class Both:
    """One ledger, asked by command and as a program."""

    ground: Ground
    shell: Shell
    asker: Program
    shop: HeldShop
    link_id: int

    def command(self, *words: str) -> Any:
        done = self.shell.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def get(self, path: str) -> Any:
        answer = self.asker.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json

    def post(self, path: str, **body: object) -> Any:
        answer = self.asker.post(path, body)
        assert answer.status_code == 200, answer.text
        return answer.json

    def held(self, reason: str = "unknown_contact") -> int:
        return self.shop.hold(reason, key=f"k{self.shop._next}")


def go_on(both: Both, site_id: int) -> None:
    """The site is at work, whatever was done to it before."""
    both.ground.admin.sites.set_state(site_id, SiteState.ACTIVE, "test")
