"""What people really paste into settings, secret files and ``.env``.

It works, or one line says what is wrong, without the secret.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_worker.config import environment, load_settings, misspelt_names
from sync_worker.core.errors import Misconfigured
from sync_worker.doctor.settings import check_settings
from sync_worker.manifest.loader import load_manifests, shipped_manifest
from sync_worker.manifest.schema.http import BearerAuth
from sync_worker.wiring import Wiring, installation
from tests.unit.signed import OWN_SERVICE


def urls_of(environ: dict[str, str]) -> tuple[str, ...]:
    settings = load_settings(environ)
    return settings.database, settings.broker, settings.cache


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(Misconfigured) as refused:
        urls_of({"REDIS_URL": "redis://localhost", **environ})
    line = str(refused.value)
    assert len(line.splitlines()) == 1
    return line


BROKEN_URLS = [
    ("REDIS_URL", "redis://:s3cr#t@host:6379/0"),
    ("REDIS_URL", "redis://:s3cr/t@host:6379/0"),
    ("REDIS_URL", "redis://:s3cr?t@host:6379/0"),
    ("REDIS_URL", "redis://:s3cr[t@host:6379/0"),
    ("REDIS_URL", "redis://user@corp:s3cr#t@host:6379/0"),
    ("REDIS_CACHE_URL", "rediss://:123#s3cr@host/1"),
    ("DATABASE_URL", "postgresql://user:s3cr@t@host:5432/name"),
    ("DATABASE_URL", "postgresql://user:s3cr@t:9#x@host/name"),
]


@pytest.mark.parametrize(("name", "url"), BROKEN_URLS)
def test_url_with_a_raw_sign_in_its_password_is_refused(name: str, url: str) -> None:
    """The sentence names the setting and how to write the sign, and prints no part of the URL."""
    line = refusal({name: url})
    assert line.startswith(f"{name} ")
    assert "%23" in line
    assert name.replace("CACHE_URL", "PASSWORD").replace("URL", "PASSWORD") in line
    assert "s3cr" not in line
    assert "host:" not in line


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("REDIS_URL", "http://host:6379", "REDIS_URL begins with http://; it has to be redis://"),
        ("REDIS_URL", "host:6379", "REDIS_URL has to begin with redis://"),
        ("REDIS_URL", "redis://host:99999/0", "REDIS_URL: the port is no number from 1 to 65535"),
        ("DATABASE_URL", "mysql://u@h/n", "DATABASE_URL begins with mysql://; it has to be"),
        ("DATABASE_URL", "postgresql://u@h:54x/n", "DATABASE_URL: the port is no number"),
    ],
)
def test_address_that_no_server_has_is_told(name: str, url: str, says: str) -> None:
    assert says in refusal({name: url})


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("REDIS_URL", "redis://:p%23ss@host:6379/0"),
        ("REDIS_URL", "redis://:p@ss@host:6379/0"),
        ("REDIS_URL", "redis://:50%off@host/0"),
        ("REDIS_URL", "redis://host/0?client_name=a@b"),
        ("REDIS_URL", "unix:///run/redis@1.sock?db=1"),
        ("DATABASE_URL", "postgresql://user:p#s/s[?@host:5432/name"),
        ("DATABASE_URL", "postgresql+psycopg://user@/name?host=/run/a@b"),
        ("DATABASE_URL", "postgresql://[::1]:5432/name"),
        ("DATABASE_URL", "sqlite:////tmp/a@b#c.db"),
    ],
)
def test_url_that_worked_before_works(name: str, url: str) -> None:
    assert url in urls_of({"REDIS_URL": "redis://localhost", name: url})


BYTES = [
    b"the-secret\n",
    b"the-secret\r\n",
    b"\xef\xbb\xbfthe-secret\r\n",
    b'"the-secret"\n',
    b"'the-secret'",
    "the-secret\r\n".encode("utf-16"),
    b"\n  the-secret \n\n",
]


@pytest.mark.parametrize("content", BYTES)
def test_secret_file_is_read_as_editors_and_shells_write_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(content)
    settings = load_settings({"WIX_APP_SECRET_FILE": str(tmp_path / "secret")})
    assert settings.wix_app_secret.get_secret_value() == "the-secret"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xff\xfa\x00\x01", "is no text"),
        (b"WIX_APP_SECRET=the-secret\n", "holds WIX_APP_SECRET=…; only the value belongs into it"),
        (b"# comment\nthe-secret\n", "holds 2 lines"),
    ],
)
def test_secret_file_that_holds_no_secret_is_told(
    content: bytes, says: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(content)
    line = refusal({"WIX_APP_SECRET_FILE": str(tmp_path / "secret")})
    assert line.startswith(f"WIX_APP_SECRET_FILE: {tmp_path / 'secret'} ")
    assert says in line
    assert "the-secret" not in line


def test_folder_or_nothing_in_place_of_a_secret_file_is_told(tmp_path: Path) -> None:
    assert "Is a directory" in refusal({"WIX_APP_SECRET_FILE": str(tmp_path)})
    assert "No such file" in refusal({"WIX_APP_SECRET_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfWIX_APP_ID=an-app\r\nWIX_APP_SECRET='the # secret'\r\n",
        "WIX_APP_ID=an-app\r\nWIX_APP_SECRET='the # secret'\r\n".encode("utf-16"),
        b'export WIX_APP_ID=an-app\nWIX_APP_SECRET="the # secret"   # of the app\n',
    ],
)
def test_env_file_is_read_as_editors_write_it(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte order mark would else belong to the name of the first setting."""
    for name in ("WIX_APP_ID", "WIX_APP_SECRET"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_bytes(content)
    settings = load_settings(environment(tmp_path))
    assert settings.wix_app_id == "an-app"
    assert settings.wix_app_secret.get_secret_value() == "the # secret"


KEY_LINES = ("-----BEGIN PUBLIC KEY-----", "MIIB+X/w==", "-----END PUBLIC KEY-----")


@pytest.mark.parametrize(
    "value",
    [
        "\\n".join(KEY_LINES),
        "\\n".join((*KEY_LINES, "")),  # as the sandbox writes it
        "\n".join(KEY_LINES),
        "\n".join(KEY_LINES) + "  ",
        "'" + "\n".join(KEY_LINES) + "'",
        '"' + "\\n".join((*KEY_LINES, "")) + '"',
    ],
)
def test_key_in_an_env_file_keeps_its_lines_in_any_form(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WIX_PUBLIC_KEY", raising=False)
    (tmp_path / ".env").write_text(f"WIX_APP_ID=an-app\nWIX_PUBLIC_KEY={value}\nCONNECTORS=own\n")
    found = environment(tmp_path)["WIX_PUBLIC_KEY"]
    assert found.replace("\\n", "\n").split() == "\n".join(KEY_LINES).split()
    assert environment(tmp_path)["CONNECTORS"] == "own"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfa\x00\x01", "is no text"),
        (b"WIX_APP_ID: an-app\n", "line 1: not in the form NAME=value"),
        (b"A=b\nWIX_APP_SECRET='open\n", "line 2: not in the form NAME=value"),
    ],
)
def test_env_file_that_cannot_be_read_names_its_line(
    content: bytes, says: str, tmp_path: Path
) -> None:
    """Left out without a word, the setting would seem not to be set."""
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(Misconfigured, match=says):
        environment(tmp_path)


def test_quotes_around_a_value_of_the_environment_are_no_part_of_it() -> None:
    """``docker run --env-file`` hands them on."""
    settings = load_settings({"REDIS_URL": '"redis://host:6379/0"', "WIX_APP_ID": "'an-app'"})
    assert (settings.broker, settings.wix_app_id) == ("redis://host:6379/0", "an-app")


PLACEHOLDERS = [
    "…",
    "...",
    "YOUR_SECRET",
    "your-app-secret",
    "<secret>",
    "changeme",
    "CHANGE_ME",
    "xxxxxxxx",
    "TODO",
    "replace-with-your-secret",
    "insert secret here",
]


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_placeholder_stops_the_start(value: str) -> None:
    for name in ("WIX_APP_SECRET", "WIX_APP_ID", "WIX_PUBLIC_KEY", "METRICS_TOKEN"):
        assert f"{name} is still a placeholder" in refusal({name: value})


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://user:YOUR_PASSWORD@host/name"),
        ("REDIS_URL", "redis://:<password>@host:6379/0"),
        ("REDIS_URL", "redis://…"),
        ("WIX_API_BASE_URL", "https://YOUR-HOST"),
    ],
)
def test_placeholder_within_an_address_stops_the_start(name: str, url: str) -> None:
    assert f"{name} is still a placeholder" in refusal({name: url})


def test_value_that_is_no_placeholder_passes() -> None:
    for value in ("yourself-5f3a", "changed-0-me", "toDo4you", "a...b", "my-app", "none-of-it"):
        assert load_settings({"WIX_APP_SECRET": value}).wix_app_secret.get_secret_value() == value


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("REDIS_ULR", "REDIS_URL"),
        ("WIX_APPID", "WIX_APP_ID"),
        ("WIX_PUBLICKEY", "WIX_PUBLIC_KEY"),
        ("CONECTORS", "CONNECTORS"),
        ("METRIC_TOKEN", "METRICS_TOKEN"),
        ("wix_app_secret", "WIX_APP_SECRET"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("WIX_APP_SECRETFILE", "WIX_APP_SECRET_FILE"),
    ],
)
def test_name_close_to_one_of_ours_is_noticed(name: str, meant: str) -> None:
    assert misspelt_names([name, "WIX_APP_ID"]) == {name: meant}


def test_name_of_somebody_else_is_not_noticed() -> None:
    names = [
        *(
            "PATH",
            "HOME",
            "LANG",
            "TERM",
            "REDIS_PORT",
            "REDIS_HOST",
            "DATABASE_HOST",
            "PGPASSWORD",
        ),
        *("POSTGRES_USER", "POSTGRES_PASSWORD", "WOOCOMMERCE_URL", "REVIEWS_API_KEY", "LOGNAME"),
        *("RATINGS_SYNC_VERSION", "GATEWAY_HOST_IP", "REVIEWS_PUBLIC_KEY", "WIX_APP_NAME"),
        *("WIX_APP_SECRET_FILE", "REQUESTS_CA_BUNDLE", "http_proxy", "DATABASE_URL"),
    ]
    assert misspelt_names(names) == {}


def test_misspelt_name_is_told_by_the_doctor() -> None:
    wiring = Wiring(load_settings({}), {"DATABSE_URL": "postgresql://u:s3cr@h/n"})
    told = [check for check in check_settings(wiring) if "DATABSE_URL" in check.what]
    assert [(check.verdict, check.what, check.next_step) for check in told] == [
        ("note", "DATABSE_URL is no setting, and nothing reads it", "did you mean DATABASE_URL?")
    ]


def test_misspelt_name_is_told_when_the_machine_starts(tmp_path: Path) -> None:
    lines: list[str] = []
    environ = {"RATINGS_SYNC_HOME": str(tmp_path), "DATABSE_URL": "postgresql://u:s3cr@h/n"}
    installation(environ, lambda name, line: lines.append(line))
    assert lines == ["DATABSE_URL is no setting, and nothing reads it; did you mean DATABASE_URL?"]


OWN_SERVICE_SETTINGS = {**OWN_SERVICE, "OWN_SERVICE_TOKEN": "a-token"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"OWN_SERVICE_TOKEN": "YOUR_TOKEN"}, "OWN_SERVICE_TOKEN is still a placeholder"),
        ({"OWN_SERVICE_URL": "https://YOUR-HOST/api"}, "OWN_SERVICE_URL is still a placeholder"),
        (
            {"OWN_SERVICE_TOKEN": "", "OWN_SERVICE_TOKN": "x"},
            "OWN_SERVICE_TOKEN is not set (OWN_SERVICE_TOKN is set: did you mean that?)",
        ),
    ],
)
def test_setting_of_a_manifest_follows_the_same_rules(changes: dict[str, str], says: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        load_manifests([shipped_manifest("own-service")], OWN_SERVICE_SETTINGS | changes)
    assert says in str(refused.value)


def test_secret_of_a_manifest_is_read_as_editors_write_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b'\xef\xbb\xbf"the-token"\r\n')
    environ = {**OWN_SERVICE_SETTINGS, "OWN_SERVICE_TOKEN": ""}
    environ["OWN_SERVICE_TOKEN_FILE"] = str(tmp_path / "token")
    (manifest,) = load_manifests([shipped_manifest("own-service")], environ).values()
    assert isinstance(manifest.auth, BearerAuth)
    assert manifest.auth.token.get_secret_value() == "the-token"


@pytest.mark.parametrize("name", ["WIX_APP_SECRET", "WIX_APP_ID", "WIX_API_BASE_URL"])
@pytest.mark.parametrize(("sign", "code"), [("\n", "U+000A"), ("\u201c", "U+201C")])
def test_sign_that_a_program_put_into_a_secret_is_told(name: str, sign: str, code: str) -> None:
    line = refusal({name: f"https://canary{sign}abc"})
    assert line.startswith(f"{name} holds {code} (")
    assert "canary" not in line


@pytest.mark.parametrize(
    "value", ["${TOKEN}", "$TOKEN", "%TOKEN%", "changeit", "undefined", "••••••", "https://{h}/x"]
)
def test_name_in_the_place_of_a_value_is_a_placeholder(value: str) -> None:
    """What a shell or a page has left unfilled."""
    assert refusal({"WIX_APP_SECRET": value}).startswith("WIX_APP_SECRET is still a placeholder")


@pytest.mark.parametrize(
    "value",
    [
        "$2b$12$abc",
        "$ecret",
        "postgresql://u:p{a}s@h/x",
        "pa$$word",
        "50%off%x!",
        "https://a.example/{id}",
    ],
)
def test_value_with_such_signs_in_it_passes(value: str) -> None:
    assert load_settings({"WIX_APP_SECRET": value}).wix_app_secret.get_secret_value() == value
