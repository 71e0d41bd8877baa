import socket
import urllib.request

import pytest

from ..odoo_server import OdooServer, RpcError, hold_port
from ..processes import descendants, living
from ..runtime import ADDON, Runtime
from ..standin import StandIn


@pytest.fixture(scope="module")
def server():
    server = OdooServer(Runtime.from_environment(), "devtools_server")
    server.create_database()
    yield server
    server.kill()
    server.drop_database()


@pytest.mark.parametrize("workers", [0, 2])
def test_server_serves_the_installed_addon_and_ends_whole(server, workers):
    server.workers = workers
    server.start()
    domain = [["name", "=", ADDON], ["state", "=", "installed"]]
    assert server.execute("ir.module.module", "search_count", domain) == 1
    below = descendants(server.process.pid)
    assert len(below) >= workers
    server.kill()
    assert not {process.pid for process in living()} & set(below)


def test_refused_calls_carry_odoos_words(server):
    with server, pytest.raises(RpcError, match="no_such_method"):
        server.execute("res.partner", "no_such_method")
    with server, pytest.raises(RpcError, match="cannot log in"):
        server.execute("res.partner", "search", [], user="admin", password="wrong")


def test_held_port_is_for_the_server_that_names_it():
    """Catches a port that another process gets before the server listens, or between two runs."""
    with hold_port() as held:
        port = held.getsockname()[1]
        for _run in range(2):
            with StandIn(port=port) as server:
                assert urllib.request.urlopen(f"{server.url}/_control/").status == 200
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind(("127.0.0.1", port))
