"""Ports for servers of our own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.runtime.local import free_port as ports
from sync_worker.runtime.local.free_port import PORTS, free_port

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_no_outgoing_connection_can_take_a_port_before_its_server_listens() -> None:
    lowest = int(RANGE.read_text().split()[0]) if RANGE.exists() else 49_152
    assert max(PORTS) < lowest
    assert free_port() in PORTS


def test_port_that_somebody_listens_on_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "PORTS", range(port, port + 1))
        with pytest.raises(Misconfigured, match=f"from {port} to {port} is free"):
            free_port()
