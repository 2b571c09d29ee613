"""Which external account a shop's settings mean, in one form however they are written. Pure.

Two sites on one external account would write each other's ratings, so what is likely to be the
same is taken for the same: capitals, ``www.``, http or https, a slash at the end make no other.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from posixpath import normpath
from urllib.parse import SplitResult, unquote, urlsplit

import idna

from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.settings import SettingSpec

MAX_PART = 200  # a longer one is known by its hash
MAX_IDENTITY = 512  # characters, as the ledger holds them
DEFAULT_PORTS = frozenset({None, 80, 443})
LOOKS_LIKE_A_HOST = re.compile(r"[^\s/@]+\.[^\s/@.]{2,}(:[0-9]+)?(/.*)?")


def identity_of(
    manifest: Manifest, values: Mapping[str, str], before: str | None = None
) -> str | None:
    """The normalised identity of the external account; ``None``: its manifest names none.

    ``before``: the identity that an account had, for values that are not given anew.
    """
    specs = {spec.name: spec for spec in manifest.settings}
    parts = dict(_parts_of(before))
    parts |= {
        name: _part(manifest, specs[name], values[name])
        for name in manifest.account_identity
        if name in values
    }
    parts = {name: part for name, part in parts.items() if name in manifest.account_identity}
    if not parts:
        return None
    return "\n".join(f"{name}={part}" for name, part in sorted(parts.items()))


def only_secrets_differ(manifest: Manifest, one: str | None, other: str | None) -> bool:
    """Whether two identities are one, as far as it can be read: a secret given anew is no other."""
    are_secret = {spec.name for spec in manifest.settings if spec.kind == "secret"}
    shown = [
        {name: part for name, part in _parts_of(identity) if name not in are_secret}
        for identity in (one, other)
    ]
    return shown[0] == shown[1]


def _parts_of(identity: str | None) -> Iterator[tuple[str, str]]:
    for line in (identity or "").splitlines():
        name, _, part = line.partition("=")
        yield name, part


def _part(manifest: Manifest, spec: SettingSpec, value: str) -> str:
    if spec.kind == "secret":
        return _hash(manifest.id, value)
    part = _readable(value)
    # Whatever the others are, all of them fit.
    share = MAX_IDENTITY // len(manifest.account_identity) - len(f"{spec.name}=\n")
    return part if len(part) <= min(MAX_PART, share) else _hash(manifest.id, part)


def _readable(value: str) -> str:
    text = unicodedata.normalize("NFKC", value).strip()
    if "://" in text:
        return _place(text)
    if LOOKS_LIKE_A_HOST.fullmatch(text):
        return _place(f"https://{text}")
    return text.casefold()


def _hash(connector: str, value: str) -> str:
    """What tells two secrets apart and opens nothing."""
    return "sha256:" + hashlib.sha256(f"{connector}\0{value}".encode()).hexdigest()


def _place(url: str) -> str:
    """Host, port and path of an address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # no address after all
        return url.casefold()
    host = _host(parts)
    where = host if port in DEFAULT_PORTS else f"{host}:{port}"
    path = normpath("/" + unquote(parts.path).casefold().lstrip("/"))
    return where if path == "/" else where + path


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    with suppress(ValueError):
        return str(ipaddress.ip_address(host))
    with suppress(idna.IDNAError, UnicodeError):
        host = idna.encode(host, uts46=True).decode()
    return host.casefold().removeprefix("www.")
