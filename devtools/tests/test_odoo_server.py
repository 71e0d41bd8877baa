import pytest

from ..odoo_server import OdooServer, RpcError
from ..processes import descendants, living
from ..runtime import ADDON, Runtime


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
