"""``ratings-sync`` as a shell runs it, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync_worker.core.values import Change, NewDelivery, Side
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.sql_ledger import sql_ledger
from tests.commands import run_command
from tests.unit.signed import OWN_SERVICE

COMMAND = str(Path(sys.executable).parent / "ratings-sync")
ENTITIES = "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id\n"


@dataclass
class Shell:
    folder: Path
    environ: dict[str, str]
    timeout: float = 60

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = run_command(words, self.folder, self.environ, self.timeout)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def good(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def how(self) -> dict[str, Any]:
        """What `status` tells; that nothing runs here makes it end with 1."""
        told: dict[str, Any] = json.loads(self.run("status", "--json", "--offline").stdout)
        return told

    def bad(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content)
        return name

    def store(self, **changes: Any) -> int:
        """A delivery that is held, as a worker holds it. Returns its id."""
        engine = open_engine(f"sqlite:///{self.folder / 'home' / 'ledger.db'}")
        ledger = sql_ledger(engine)
        hold_key = changes.pop("hold_key", None)
        reason = changes.pop("reason", "unknown_entity")
        side = changes.pop("side", Side.WIX)
        source = "instance-1" if side is Side.WIX else "own-service"
        new = NewDelivery(
            side, source, changes.pop("dedupe_id", "event-1"), Change.UPSERT, "rating-1", {}
        )
        inbox_id = ledger.inbox.store(new).inbox_id
        ledger.inbox.hold([inbox_id], reason, hold_key=hold_key)
        engine.dispose()
        return inbox_id


def shell_in(folder: Path) -> Shell:
    """With the settings of the service of our own, and nothing else."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    home = {"RATINGS_SYNC_HOME": str(folder / "home"), "COLUMNS": "200"}
    return Shell(folder, {**environ, **OWN_SERVICE, **home})
