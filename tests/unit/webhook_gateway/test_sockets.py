"""GATEWAY_BIND: all forms that it takes, and the words when it cannot be used."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from sync_worker.core.errors import Misconfigured
from webhook_gateway.sockets import listen


def test_address_may_be_a_port_a_path_or_several(tmp_path: Path) -> None:
    path = tmp_path / "door.sock"
    for _ in range(2):  # what a gateway that died has left there is replaced
        with ExitStack() as stack:
            tcp, unix = listen(f"127.0.0.1:0,unix:{path}")
            for sock in (tcp, unix):
                stack.enter_context(closing(sock))
            with closing(socket.create_connection(tcp.getsockname(), timeout=1)):
                pass
            with closing(socket.socket(socket.AF_UNIX)) as client:
                client.connect(str(path))


def test_taken_or_senseless_address_is_named_with_the_next_step() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Misconfigured, match=f"GATEWAY_BIND: {address} cannot be used"):
            listen(address)
    with pytest.raises(Misconfigured, match=r"cannot be used .*give host:port"):
        listen("127.0.0.1:port")
