"""Why no whole answer came, in words: what failed, at which address, what to do next. Pure.

Only host and port are named: the rest of an address may hold a secret.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

AUTHORITIES = "REQUESTS_CA_BUNDLE"  # the setting of the library below, and of many other programs
NAME_MISMATCH = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
MAX_DEPTH = 12  # of errors inside errors
MAX_SHOWN = 200


def own_authorities() -> str | bool:
    """The file or folder of certificate authorities that the machine's owner names, if any."""
    return os.environ.get(AUTHORITIES) or True


def why_not_connected(error: Exception, url: str) -> str:
    """Why nothing could be sent to an address."""
    causes, address = list(_causes(error)), _address(url)
    for kind, words in NOT_CONNECTED:
        for cause in causes:
            if isinstance(cause, kind):
                return f"could not connect: {words(cause, address)}"
    return f"could not connect: {address}: {type(error).__name__}"


def why_not_answered(error: Exception, url: str) -> str:
    """Why something was sent, and no whole answer came."""
    causes, address = list(_causes(error)), _address(url)
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return f"no whole answer: {address} took the connection and stayed silent"
    if urlsplit(url).scheme == "http":
        return (
            f"no whole answer: {address} closes the connection or does not speak plain http; does"
            " the address begin with https://?"
        )
    return f"no whole answer: {address} closes the connection ({type(error).__name__})"


def where_it_leads(location: str | None) -> str:
    """The target of a redirect, without what may be a secret; empty if there is none."""
    try:
        parts = urlsplit((location or "").strip())
        host = parts.hostname or ""
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return ""
    scheme = f"{parts.scheme}://" if host else ""
    target = f"{scheme}{host}{port}{parts.path}"
    return target[:MAX_SHOWN] if target.isprintable() else ""


def _address(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or "the remote"


def _causes(error: BaseException, depth: int = 0) -> Iterator[BaseException]:
    """An error, and those that it wraps: as cause, as context, as reason, as argument."""
    if depth > MAX_DEPTH:
        return
    yield error
    inside = [error.__cause__ or error.__context__, getattr(error, "reason", None), *error.args]
    for part in inside:
        if isinstance(part, BaseException) and part is not error:
            yield from _causes(part, depth + 1)


def _untrusted(error: BaseException, address: str) -> str:
    why = getattr(error, "verify_message", "")
    if getattr(error, "verify_code", 0) in NAME_MISMATCH:
        return f"the certificate of {address} is for another name ({why}); correct the address"
    return (
        f"the certificate of {address} is not trusted ({why}); if an authority of your own issued"
        f" it, name its PEM file in {AUTHORITIES}"
    )


def _no_tls(error: BaseException, address: str) -> str:
    why = getattr(error, "reason", None) or type(error).__name__
    if "CERTIFICATE_OR_CRL" in str(why):
        return f"{AUTHORITIES} names {own_authorities()}, which holds no certificate in PEM"
    if why in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL"):
        return (
            f"{address} speaks no TLS; write http:// if it is meant to (inside your own network"
            " only), else correct the port"
        )
    return f"TLS with {address} fails ({why})"


def _unknown_name(error: BaseException, address: str) -> str:
    host = address.rpartition(":")[0] or address
    return (
        f"no address is known for the name {host}; is it written right, and does this machine's"
        " DNS know it?"
    )


def _refused(error: BaseException, address: str) -> str:
    return (
        f"{address} refuses the connection: nothing listens there; is the port right, and does the"
        " system run?"
    )


def _silent(error: BaseException, address: str) -> str:
    return (
        f"{address} stays silent; is the address right, and does a firewall let this machine"
        " through?"
    )


def _closed(error: BaseException, address: str) -> str:
    return f"{address} closes the connection at once; is the port right?"


def _by_system(error: BaseException, address: str) -> str:
    if AUTHORITIES in os.environ and "CA certificate" in str(error):
        return f"{AUTHORITIES} names {own_authorities()}, which cannot be read"
    why = getattr(error, "strerror", None) or type(error).__name__
    return f"{address}: {why}"


# The first that fits: the later kinds hold the earlier ones.
NOT_CONNECTED: tuple[tuple[type[BaseException], Callable[[BaseException, str], str]], ...] = (
    (ssl.SSLCertVerificationError, _untrusted),
    (ssl.SSLError, _no_tls),
    (socket.gaierror, _unknown_name),
    (ConnectionRefusedError, _refused),
    (TimeoutError, _silent),
    (ConnectionError, _closed),
    (OSError, _by_system),
)
