"""The keys of webhooks in the forms that people paste: each works, or is told for what it is."""

from __future__ import annotations

import base64
import json
import textwrap

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sync_worker.config import environment, load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.remotes.wix.public_keys import load_public_keys
from tests.unit.signed import KEY, OTHER_KEY, pem

PLAIN = pem()
LINES = PLAIN.split("\n")
BODY = "".join(LINES[1:-2])
PKCS1 = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
OF_PEM = base64.b64encode(PLAIN.encode()).decode()

WORK = {
    "one line, breaks written": PLAIN.replace("\n", "\\n"),
    "breaks written twice": PLAIN.replace("\n", "\\\\n"),
    "breaks of Windows written": PLAIN.replace("\n", "\\r\\n"),
    "one line, blanks": PLAIN.replace("\n", " "),
    "one line, nothing between": PLAIN.replace("\n", ""),
    "Windows": PLAIN.replace("\n", "\r\n"),
    "in quotes": f'"{PLAIN}"',
    "in quotes, breaks written": json.dumps(PLAIN),
    "indented": textwrap.indent(PLAIN, "    "),
    "body alone, in lines": "\n".join(LINES[1:-2]),
    "body alone, one line": BODY,
    "body alone, breaks written": "\\n".join(LINES[1:-2]),
    "base64 of the PEM": OF_PEM,
    "base64 of the PEM, in lines": "\n".join(textwrap.wrap(OF_PEM, 76)),
    "PKCS#1": PKCS1,
    "byte order mark": f"\ufeff{PLAIN}",
}


@pytest.mark.parametrize("form", WORK)
def test_key_is_read_as_it_is_pasted(form: str) -> None:
    (key,) = load_public_keys(WORK[form])
    assert key.public_numbers() == KEY.public_key().public_numbers()


def test_several_keys_may_be_of_several_forms() -> None:
    both = (
        f"{pem(OTHER_KEY)}\n{PKCS1}",
        f"{OF_PEM},{base64.b64encode(pem(OTHER_KEY).encode()).decode()}",
    )
    assert [len(load_public_keys(text)) for text in both] == [2, 2]


def private(form: PrivateFormat) -> str:
    return KEY.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


EC = ec.generate_private_key(ec.SECP256R1()).public_key()
TOLD = {
    "nothing": ("", "WIX_PUBLIC_KEY is not set"),
    "a word": ("no key", "WIX_PUBLIC_KEY holds no public key"),
    "an id": ("a35c2f1e-0000-4000-8000-2448c17c89df", "holds no public key"),
    "a private key": (private(PrivateFormat.PKCS8), "holds a private key"),
    "an older private key": (private(PrivateFormat.TraditionalOpenSSL), "holds a private key"),
    "body of a private key": (
        "".join(private(PrivateFormat.PKCS8).split("\n")[1:-2]),
        "holds a private key",
    ),
    "a certificate": (
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "certificate",
    ),
    "a key of ssh": (
        KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        "holds a key of ssh",
    ),
    "JSON": (json.dumps({"publicKey": PLAIN}), "holds JSON"),
    "a JWK": (json.dumps({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), "holds JSON"),
    "first line alone": (LINES[0], "ends after its BEGIN line"),
    "without its end": ("\n".join(LINES[:-3]), "has no END PUBLIC KEY line"),
    "without its middle": ("\n".join([*LINES[:3], *LINES[-2:]]), "is cut or damaged"),
    "dashes of a word processor": (PLAIN.replace("-----", "—–"), "dashes"),
    "another kind of key": (
        EC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "is not an RSA key; Wix signs with RS256",
    ),
}


@pytest.mark.parametrize("form", TOLD)
def test_what_is_no_key_is_told_for_what_it_is(form: str) -> None:
    """In one line, which prints no part of what was pasted."""
    text, says = TOLD[form]
    with pytest.raises(Misconfigured) as refused:
        load_public_keys(text)
    line = str(refused.value)
    assert says in line
    assert line.startswith("WIX_PUBLIC_KEY")
    assert len(line.splitlines()) == 1
    assert BODY[40:60] not in line


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_key_is_read_from_an_env_file_over_several_lines(
    quote: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is copied from the dashboard, quotes or not; the setting after it is read, too."""
    for name in ("WIX_APP_ID", "WIX_PUBLIC_KEY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path_factory.mktemp("env")
    (folder / ".env").write_text(f"WIX_PUBLIC_KEY={quote}{PLAIN.strip()}{quote}\nWIX_APP_ID=app\n")
    settings = load_settings(environment(folder))
    assert len(load_public_keys(settings.wix_public_key)) == 1
    assert settings.wix_app_id == "app"
