"""deploy/secrets.sh: from a filled .env to one file for each secret."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from sync_worker.config import environment
from sync_worker.ledger.accounts.sealing import public_of
from tests.fleet_file import ROOT, read_fleet


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "deploy").mkdir(exist_ok=True)
    shutil.copy(ROOT / "deploy" / "secrets.sh", folder / "deploy")
    return subprocess.run(
        ["sh", str(folder / "deploy" / "secrets.sh")], capture_output=True, text=True, timeout=20
    )


def secret(folder: Path, name: str) -> str:
    return (folder / "secrets" / name).read_text()


def test_filled_env_file_becomes_every_secret_that_the_fleet_needs(tmp_path: Path) -> None:
    lines = [
        "WIX_APP_SECRET=canary=1",
        'WIX_PUBLIC_KEY="-----BEGIN\\nAA=="',
        "POSTGRES_PASSWORD=",
        "OWN_SERVICE_TOKEN=t",
    ]
    (tmp_path / ".env").write_text("\n".join([*lines, "OWN_SERVICE_WEBHOOK_SECRET='whsec'"]) + "\n")
    shutil.copy(ROOT / "deploy" / "connector.env.example", tmp_path / "connector.env")
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert secret(tmp_path, "wix_app_secret") == "canary=1"
    assert secret(tmp_path, "wix_public_key") == "-----BEGIN\nAA=="
    assert secret(tmp_path, "connector/own_service_webhook_secret") == "whsec"
    needed = {
        name: tmp_path / one["file"]
        for name, one in read_fleet({"WIX_APP_ID": "x"})["secrets"].items()
    }
    assert [name for name, file in needed.items() if not file.read_text()] == []
    assert len(secret(tmp_path, "postgres_password")) == 48
    assert secret(tmp_path, "flower_basic_auth").startswith("flower:")
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert "canary" not in done.stdout + done.stderr


def test_key_that_seals_accounts_is_drawn_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WIX_APP_SECRET=a\nWIX_PUBLIC_KEY=b\n")
    done = run(tmp_path)
    key = secret(tmp_path, "secrets_key")
    assert public_of(key)
    assert key not in done.stdout + done.stderr
    mode = stat.S_IMODE((tmp_path / "secrets" / "secrets_key").stat().st_mode)
    # Who is not root cannot give the file to the user of the containers.
    assert mode == (0o600 if os.geteuid() == 0 else 0o444)


def test_second_run_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WIX_APP_SECRET=a\nWIX_PUBLIC_KEY=b\n")
    assert run(tmp_path).returncode == 0
    before = [secret(tmp_path, name) for name in ("redis_password", "secrets_key")]
    (tmp_path / ".env").write_text("WIX_APP_SECRET=new\nWIX_PUBLIC_KEY=b\n")
    assert run(tmp_path).returncode == 0
    assert [secret(tmp_path, name) for name in ("redis_password", "secrets_key")] == before
    assert secret(tmp_path, "wix_app_secret") == "a"


def test_kept_secret_that_the_env_file_contradicts_is_told(tmp_path: Path) -> None:
    """A secret changed in .env is not in use yet, and no value is shown."""
    (tmp_path / ".env").write_text("WIX_APP_SECRET=canary-a\nWIX_PUBLIC_KEY=b\n")
    first = run(tmp_path)
    assert "secrets/wix_app_secret: written from .env" in first.stdout
    assert "secrets/redis_password: drawn at random" in first.stdout
    again = run(tmp_path)
    assert "kept as they were: postgres_password redis_password" in again.stdout
    assert "all secrets are in place" in again.stdout
    (tmp_path / ".env").write_text("WIX_APP_SECRET=canary-b\nWIX_PUBLIC_KEY=b\n")
    changed = run(tmp_path)
    assert "all secrets are in place" not in changed.stdout
    assert "secrets/wix_app_secret: kept as it was, though .env has another value" in changed.stderr
    assert "rm -f secrets/wix_app_secret, and run this again" in changed.stderr
    assert "canary" not in changed.stdout + changed.stderr


PEM = "-----BEGIN PUBLIC KEY-----\nMIIB\nIjAN\n-----END PUBLIC KEY-----"
LINES = {
    "comment": ("WIX_APP_SECRET=abc   # from the dashboard", "abc"),
    "comment alone": ("WIX_APP_SECRET=abc\n#WIX_APP_SECRET=old", "abc"),
    "no comment": ("WIX_APP_SECRET=a#b", "a#b"),
    "quotes and comment": ("WIX_APP_SECRET='a # b'  # of the app", "a # b"),
    "double quotes": ('WIX_APP_SECRET="a # b" # of the app', "a # b"),
    "export": ("export WIX_APP_SECRET = abc", "abc"),
    "Windows": ("WIX_APP_SECRET=abc\r\nWIX_APP_ID=x\r", "abc"),
    "byte order mark": ("\ufeffWIX_APP_SECRET=abc", "abc"),
    "the last one counts": ("WIX_APP_SECRET=old\nWIX_APP_SECRET=abc", "abc"),
    "quote in quotes": (r"WIX_APP_SECRET='it\'s' # mine", "it's"),
    "escapes": (r'WIX_APP_SECRET="u:p\"q\\r\a\qb"', 'u:p"q\\r\a\\qb'),
    "tab": (r'WIX_APP_SECRET="tab\there"', "tab\there"),
    "no escapes in single quotes": (r"WIX_APP_SECRET='a\\b\nc'", r"a\b\nc"),
    "no escapes without quotes": (r"WIX_APP_SECRET=a\tb$X", r"a\tb$X"),
    "PEM in quotes": (f'WIX_APP_SECRET="{PEM}"\nX=y', PEM),
    "PEM as pasted": (f"WIX_APP_SECRET={PEM}\nX=y", PEM),
}


@pytest.mark.parametrize("form", LINES)
def test_env_file_is_read_as_the_program_reads_it(form: str, tmp_path: Path) -> None:
    line, value = LINES[form]
    (tmp_path / ".env").write_bytes(f"{line}\nWIX_PUBLIC_KEY=b\n".encode())
    assert run(tmp_path).returncode == 0
    assert secret(tmp_path, "wix_app_secret") == value
    assert environment(tmp_path)["WIX_APP_SECRET"] == value


def test_missing_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WIX_APP_SECRET=a\n")
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr == "still missing: WIX_PUBLIC_KEY; fill them in .env and run this again\n"


def test_value_that_stands_for_another_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WIX_APP_SECRET=${REDIS_PASSWORD}canary\nWIX_PUBLIC_KEY=b\n")
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        ".env: WIX_APP_SECRET holds ${, which stands for another setting; write the value itself\n"
    )
    assert not (tmp_path / "secrets" / "wix_app_secret").exists()
