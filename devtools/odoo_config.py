"""Odoo's configuration file, and one-off runs of Odoo with it."""

import configparser
import itertools
import re
import signal
import subprocess

from .console import DevError
from .fetch.cache import keep_log
from .processes import die_with_parent, spawn, stop

# The last line of a traceback, as in `odoo.exceptions.UserError: …`; and a log line's beginning.
EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Warning|Invalid|Denied)\b")
DATED = re.compile(r"\d{4}-\d\d-\d\d ")

SERVER = ("-m", "odoo", "server")


def write(runtime, path, database, **options):
    """Write a configuration file.

    :param Runtime runtime: The run.
    :param Path path: The file.
    :param str database: The one database that this Odoo sees.
    :param options: Further options of Odoo's, by name.
    :return: The file.
    :rtype: Path
    """
    parser = configparser.RawConfigParser()
    parser["options"] = {
        "addons_path": runtime.addons_path,
        "data_dir": str(runtime.data_dir),
        "db_name": database,
        "dbfilter": f"^{database}$",
        "list_db": "False",
        "http_interface": "127.0.0.1",
        # No mail may leave the machine: nothing listens on the discard port.
        "smtp_server": "127.0.0.1",
        "smtp_port": "9",
        **{name: str(value) for name, value in options.items()},
    }
    with path.open("w") as handle:
        parser.write(handle)
    return path


def install(runtime, database, modules):
    """Install modules into a database and end.

    :param Runtime runtime: The run.
    :param str database: The database.
    :param list modules: Technical names.
    :raise DevError: If Odoo refuses; the log's errors are part of the message.
    """
    log = runtime.path / f"install-{database}.log"
    config = write(runtime, runtime.path / f"install-{database}.conf", database, logfile=log)
    command = [runtime.python, *SERVER, "-c", config, "-i", ",".join(modules)]
    command += ["--without-demo=all", "--stop-after-init", "--no-http"]
    with (runtime.path / f"install-{database}.out").open("w+") as output:
        process = spawn(command, env=runtime.environment(), stdout=output, stderr=output, cwd="/")
        try:
            process.wait()
        finally:
            stop(process)
        output.seek(0)
        text = (log.read_text(errors="replace") if log.exists() else "") + output.read()
    if process.returncode or _failed(text):
        kept = keep_log("install.log", text)
        raise DevError(
            f"Odoo could not install {', '.join(modules)}:\n{summary(text)}\nSee {kept}."
        )


def _failed(text):
    return any(" ERROR " in line or " CRITICAL " in line for line in text.splitlines())


def summary(text, limit=20):
    """Return what tells why Odoo failed: the exception that ended it, else its last lines.

    :param str text: A log.
    :param int limit: How many lines at most.
    """
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if EXCEPTION.match(line)]
    if not starts:
        errors = [line for line in lines if " ERROR " in line or " CRITICAL " in line]
        return "\n".join((errors or lines)[-limit:])
    told = itertools.takewhile(lambda line: not DATED.match(line), lines[starts[-1] :])
    return "\n".join(line for line in itertools.islice(told, limit) if line.strip())


def run(runtime, arguments):
    """Run Odoo in the foreground with arguments of the person's own.

    :param Runtime runtime: The run.
    :param list arguments: Odoo's command and its options.
    :return: Its exit code.
    :rtype: int
    """
    command = [runtime.python, "-m", "odoo", *map(str, arguments)]
    return subprocess.call(
        command, env=runtime.environment(), preexec_fn=die_with_parent(signal.SIGTERM)
    )
