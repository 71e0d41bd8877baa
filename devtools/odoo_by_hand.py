"""`./dev odoo`: Odoo's own command line on a fresh database with the addon."""

from . import databases, odoo_config
from .console import say
from .odoo_server import free_port
from .session import platform, run


def main(argv):
    """Run Odoo with the person's arguments.

    :param list argv: Odoo's command and its options; ``server`` if there are none.
    :return: Odoo's exit code.
    :rtype: int
    """
    with platform() as runtime:
        database = "by_hand"
        databases.copy(runtime, runtime.installed_template, database)
        port = free_port()
        config = odoo_config.write(
            runtime,
            runtime.path / "by_hand.conf",
            database,
            http_port=port,
            gevent_port=free_port(),
        )
        command, *options = argv or ["server"]
        if command == "server":
            say(f"Odoo: http://127.0.0.1:{port} (admin, admin)")
        return odoo_config.run(runtime, [command, "-c", config, *options])


if __name__ == "__main__":
    run(main)
