"""The loopback server of the tests leaves nothing open, whenever its test ends."""

from __future__ import annotations

import gc
import random
import socket
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.loopback import Loopback, Reply, chat


def test_who_connects_while_it_ends_is_let_go() -> None:
    moment = random.Random(0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(60):
            _end_while_clients_come(moment.random() * 0.002)
        gc.collect()
    assert [str(warning.message) for warning in told] == []


def _end_while_clients_come(after: float) -> None:
    clients: list[socket.socket] = []
    with ThreadPoolExecutor(1) as pool, Loopback(lambda _: Reply(chat("4"))) as server:
        port = int(server.origin.rpartition(":")[2])
        pool.submit(_come, clients, port)
        time.sleep(after)
    for client in clients:
        client.close()


def _come(clients: list[socket.socket], port: int) -> None:
    for _ in range(5):
        with suppress(OSError):
            clients.append(client := socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
