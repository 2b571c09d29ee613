"""What "could not connect" says: which of the ways it failed, and what to change."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sync_worker.core.errors import SyncError
from sync_worker.remotes.http.connection import tls_context
from tests.integration.remote_server import RemoteServer, Reply, always
from tests.integration.small_connector import a_manifest, a_remote

pytestmark = pytest.mark.full

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"rows": []}'


def a_certificate(folder: Path, address: str) -> Path:
    """A certificate for an IP address that only itself vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ours")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{address}.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@contextmanager
def tls_server(certificate: Path) -> Iterator[int]:
    """Answers one page of a listing over TLS, again and again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as line:
                    line.recv(4096)
                    line.sendall(ANSWER)
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def said_by(url: str, within_seconds: int = 8) -> str:
    """How a listing at an address ends, in the words of the error."""
    remote = a_remote(a_manifest(RemoteServer(url=url), http={"timeout_s": within_seconds}))
    try:
        remote.list_page()
    except SyncError as error:
        return error.message
    return ""


def test_name_that_nobody_knows_is_said() -> None:
    assert said_by("https://shop.invalid") == (
        "could not connect: no address is known for the name shop.invalid; is it written right,"
        " and does this machine's DNS know it?"
    )


def test_port_where_nothing_listens_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert said_by(f"http://127.0.0.1:{port}") == (
        f"could not connect: 127.0.0.1:{port} refuses the connection: nothing listens there; is"
        " the port right, and does the system run?"
    )


def test_silence_is_said_before_and_after_the_connection() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        assert said_by(f"http://127.0.0.1:{port}", 1) == (
            f"no whole answer: 127.0.0.1:{port} took the connection and stayed silent"
        )
        others = [socket.socket() for _ in range(3)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        assert said_by(f"http://127.0.0.1:{port}", 1) == (
            f"could not connect: 127.0.0.1:{port} stays silent; is the address right, and does a"
            " firewall let this machine through?"
        )
        for other in others:
            other.close()


def test_certificate_of_an_own_authority_is_said_and_can_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``REQUESTS_CA_BUNDLE`` works, for every remote."""
    certificate = a_certificate(tmp_path, "127.0.0.1")
    with tls_server(certificate) as port:
        assert said_by(f"https://127.0.0.1:{port}") == (
            f"could not connect: the certificate of 127.0.0.1:{port} is not trusted (self-signed"
            " certificate); if an authority of your own issued it, name its PEM file in"
            " REQUESTS_CA_BUNDLE"
        )
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert said_by(f"https://127.0.0.1:{port}") == ""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
        assert "REQUESTS_CA_BUNDLE names /nowhere/ca.pem" in said_by(f"https://127.0.0.1:{port}")


def test_authorities_are_read_once_for_all_clients_and_again_when_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fleet has thousands of clients, and the file of authorities may be renewed below it."""
    (tmp_path / "other").mkdir()
    trusted, other = a_certificate(tmp_path, "127.0.0.1"), tmp_path / "bundle.pem"
    other.write_bytes(a_certificate(tmp_path / "other", "127.0.0.1").read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    with tls_server(trusted) as port:
        before = tls_context.cache_info().misses
        assert "is not trusted" in said_by(f"https://127.0.0.1:{port}")
        assert "is not trusted" in said_by(f"https://127.0.0.1:{port}")
        assert tls_context.cache_info().misses == before + 1
        other.write_bytes(trusted.read_bytes())
        os.utime(other, ns=(1, 1))
        assert said_by(f"https://127.0.0.1:{port}") == ""


def test_certificate_for_another_name_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = a_certificate(tmp_path, "127.0.0.9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with tls_server(certificate) as port:
        assert said_by(f"https://127.0.0.1:{port}").startswith(
            f"could not connect: the certificate of 127.0.0.1:{port} is for another name ("
        )


def test_https_at_a_port_of_http_is_said(server: RemoteServer) -> None:
    address = server.url.removeprefix("http://")
    assert said_by(f"https://{address}") == (
        f"could not connect: {address} speaks no TLS; write http:// if it is meant to (inside your"
        " own network only), else correct the port"
    )


def test_http_at_a_port_of_https_is_said(tmp_path: Path) -> None:
    with tls_server(a_certificate(tmp_path, "127.0.0.1")) as port:
        assert said_by(f"http://127.0.0.1:{port}") == (
            f"no whole answer: 127.0.0.1:{port} closes the connection or does not speak plain"
            " http; does the address begin with https://?"
        )


@pytest.mark.parametrize("status", [301, 302, 308])
def test_redirect_says_where_it_leads(server: RemoteServer, status: int) -> None:
    """And nothing of what a query or a name before the host may hold."""
    where = "https://u:p@shop.example/wp-json/?token=secret"
    server.answer = always(Reply(status, None, {"Location": where}))
    said = said_by(server.url)
    assert "redirect to https://shop.example/wp-json/" in said
    assert "secret" not in said
    assert "u:p" not in said
