"""A connected company on an Odoo server of its own, with Stripe's stand-in beside it."""

from contextlib import contextmanager

import psutil

from ...devtools import databases
from ...devtools.fetch.cache import keep_log
from ...devtools.odoo_server import OdooServer, hold_port
from ...devtools.standin import StandIn
from .staff import WITHOUT_ODOOBOT, Staff
from .waiting import PATIENCE, wait_until


class Site:
    """Real servers on a real database, and Stripe's stand-in in this process.

    :param Runtime runtime: The run.
    :param str database: The name of the database to make.
    :param int workers: 0 for threads, else the number of worker processes.
    """

    def __init__(self, runtime, database, workers=0):
        self.runtime = runtime
        self.database = database
        self.stripe = StandIn()
        # One address for good: Stripe's endpoint and the links hold it across restarts.
        self._held = hold_port()
        port = self._held.getsockname()[1]
        self.server = OdooServer(runtime, database, workers=workers, port=port)
        self.hosts = [self.server]
        self.staff = None

    def open(self):
        """Make the database, start everything, and connect the company to Stripe."""
        self.stripe.start()
        self.server.create_database()
        self.server.start()
        administrator = Staff(self.server.url, self.database)
        for key, value in {
            'payment_stripe_checkout.api_base': self.stripe.url,
            'web.base.url': self.server.url,
            'web.base.url.freeze': 'True',
        }.items():
            administrator.call('ir.config_parameter', 'set_param', key, value)
        administrator.call('res.users', 'write', [administrator.user_id], WITHOUT_ODOOBOT)
        administrator.create_user(
            'billing', 'account.group_account_manager', 'base.group_partner_manager'
        )
        self.administrator = administrator
        self.staff = Staff(self.server.url, self.database, 'billing', 'billing')
        self.staff.connect_stripe(self.stripe.account)

    def close(self):
        """End all processes and threads."""
        for host in self.hosts:
            host.kill()
            if host.log_path.exists():  # The run's folder is deleted with all that is in it.
                keep_log(host.log_path.name, host.log_path.read_text(errors='replace'))
        self._held.close()
        self.stripe.stop()
        self.server.drop_database()

    def reset(self):
        """Bring the stand-in and the server back to their ordinary ways between two tests."""
        self.stripe.faults.clear()
        deliveries = self.stripe.deliveries
        deliveries.duplicate_events(False)
        deliveries.pop_all()
        deliveries.release()
        self.stripe.wait_idle()
        self.stripe.calls.clear()

    # === SERVERS === #

    @property
    def url(self):
        return self.server.url

    def add_host(self):
        """Start a second server on the same database, as on another machine.

        :return: The server.
        :rtype: OdooServer
        """
        host = OdooServer(self.runtime, self.database)
        self.hosts.append(host)
        host.start()
        return host

    def ensure(self, workers=0, max_cron_threads=2):
        """Let the server run in a certain way; nothing happens if it does."""
        running = self.server.process is not None
        if running and (self.server.workers, self.server.max_cron_threads) == (
            workers,
            max_cron_threads,
        ):
            return
        if running:
            self.server.stop()
        self.start(workers, max_cron_threads)

    def start(self, workers=0, max_cron_threads=2):
        """Start the server after it was killed."""
        self.server.workers = workers
        self.server.max_cron_threads = max_cron_threads
        self.server.start()
        if max_cron_threads:
            wait_until(lambda: self._count_listening() >= max_cron_threads, "the scheduler listens")
            self.wake_scheduler()

    def kill(self, host=None):
        """End a server as a power cut does, and let the database notice it.

        PostgreSQL does not notice while a statement waits for a lock: a statement that a test
        holds up would outlive its client.

        :param OdooServer host: The server; the first one by default.
        """
        host = host or self.server
        processes = _get_processes(host)
        names = [f'odoo-{process.pid}' for process in processes]
        host.kill()
        wait_until(lambda: not any(map(_is_alive, processes)), "the server's processes end")
        with databases.cursor(self.runtime, 'postgres') as cr:
            cr.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = ANY(%s)",
                [names],
            )
        wait_until(
            lambda: not self._count("application_name = ANY(%s)", names),
            "the database ends the server's connections",
        )

    def _count_listening(self):
        """Return how many of the server's schedulers wait to be woken.

        They serve no request before that, so a commit in `postgres` is that of their LISTEN.
        """
        names = [f'odoo-{process.pid}' for process in _get_processes(self.server)]
        return self._count(
            "datname = 'postgres' AND application_name = ANY(%s) AND query = 'COMMIT'", names
        )

    # === SCHEDULED ACTIONS === #

    def wake_scheduler(self):
        """Have the scheduler look for due actions now; by itself it looks once a minute."""
        with databases.cursor(self.runtime, 'postgres') as cr:
            cr.execute("SELECT pg_notify('cron_trigger', %s)", [self.database])

    def run_cron(self, name, timeout=PATIENCE):
        """Have a scheduled action run now, in the server, and wait until it has run.

        :param str name: The XML id, without the module.
        :param float timeout: Seconds; an action that goes on by itself has run once it has ended.
        """
        (cron,) = self.query(
            "SELECT res_id AS id FROM ir_model_data WHERE module = %s AND name = %s",
            'payment_stripe_checkout',
            name,
        )
        self.execute(
            """
            INSERT INTO ir_cron_trigger (cron_id, call_at)
                 VALUES (%s, (now() - interval '1 second') AT TIME ZONE 'UTC')
            """,
            cron['id'],
        )
        self.wake_scheduler()
        # The trigger is gone once the action has ended.
        wait_until(
            lambda: (
                not self.query(
                    """
                SELECT 1 FROM ir_cron_trigger
                 WHERE cron_id = %s AND call_at <= now() AT TIME ZONE 'UTC'
                """,
                    cron['id'],
                )
            ),
            f'{name} runs',
            timeout,
        )

    # === DATABASE === #

    def query(self, query, *params):
        """Return the rows of a query, as dictionaries."""
        with databases.cursor(self.runtime, self.database) as cr:
            cr.execute(query, params)
            names = [column.name for column in cr.description]
            return [dict(zip(names, row, strict=True)) for row in cr.fetchall()]

    def execute(self, query, *params):
        """Run a statement and commit it; return the number of rows it concerned."""
        with databases.cursor(self.runtime, self.database) as cr:
            cr.execute(query, params)
            return cr.rowcount

    @contextmanager
    def hold_rows(self, query, *params):
        """Hold the locks that a query takes, from a connection of our own.

        :param str query: A `SELECT … FOR UPDATE`, or an `UPDATE`, which is taken back.
        """
        with databases.cursor(self.runtime, self.database) as cr:
            cr.execute("BEGIN")
            cr.execute(query, params)
            try:
                assert cr.rowcount, "There is nothing to hold."
                yield
            finally:  # Who merely closes a connection does not know when its locks are gone.
                cr.execute("ROLLBACK")

    def count_waiting(self):
        """Return how many of the servers' statements wait for a lock."""
        return self._count("datname = %s AND wait_event_type = 'Lock'", self.database)

    def _count(self, condition, *params):
        with databases.cursor(self.runtime, 'postgres') as cr:
            cr.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {condition}", params)
            return cr.fetchone()[0]


def _get_processes(host):
    """Return the processes of a server; PostgreSQL knows their connections by their ids."""
    master = psutil.Process(host.process.pid)
    return [master, *master.children(recursive=True)]


def _is_alive(process):
    """Tell whether a process runs; one that nobody has reaped yet does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
