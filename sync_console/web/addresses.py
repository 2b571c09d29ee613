"""From where a request comes: the proxy in front is believed only if the settings name it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from flask import current_app, request

from sync_worker.core.errors import Misconfigured

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
FORWARDED = "X-Forwarded-For"
MAX_HOPS = 32


def proxies_of(setting: str) -> Sequence[Network]:
    """CONSOLE_TRUSTED_PROXIES: addresses and networks, with commas. Raises Misconfigured."""
    named = [word.strip() for word in setting.split(",")] if setting.strip() else []
    return [_network(word) for word in named]


def client_address() -> str:
    """Who sent the request, as far as somebody tells it whom we trust.

    Each proxy adds at the end whom it heard, so the last one that is none of ours is told by one of
    ours; what stands before it, anybody may have written.
    """
    proxies: Sequence[Network] = current_app.extensions["console_proxies"]
    peer = request.remote_addr or ""
    known = _address(peer)
    if known is None:
        return peer
    heard = request.headers.get(FORWARDED, "").split(",")[-MAX_HOPS:]
    for word in reversed(heard):
        if not any(known in network for network in proxies):
            break
        told = _address(word.strip())
        if told is None:
            break
        known = told
    return str(known)


def _address(word: str) -> Address | None:
    """Also one with a port behind it. One of IPv4 that is told as IPv6 is the same."""
    try:
        found = ip_address(word)
    except ValueError:
        found_host = _host_of(word)
        if found_host is None:
            return None
        found = found_host
    return getattr(found, "ipv4_mapped", None) or found


def _host_of(word: str) -> Address | None:
    try:
        return ip_address(urlsplit(f"//{word}").hostname or "")
    except ValueError:
        return None


def _network(word: str) -> Network:
    try:
        found = ip_network(word)
    except ValueError:
        raise Misconfigured(
            f"CONSOLE_TRUSTED_PROXIES: {word[:64]!r} is no address and no network, such as"
            " 10.0.0.0/8"
        ) from None
    if found.prefixlen == 0:
        raise Misconfigured(
            "CONSOLE_TRUSTED_PROXIES names everybody: name the addresses of your proxies"
        )
    return found
