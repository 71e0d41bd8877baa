"""`./dev test`: one pytest run over everything, on a fresh database with the addon."""

import os
import shutil
import signal
import subprocess

from . import databases, odoo_config, postgres
from .console import complain
from .fetch.cache import keep_log
from .processes import die_with_parent
from .runtime import ADDON, ROOT
from .session import platform, run

DATABASE = "test"
VALUED = ("-k", "-m", "-p", "-o", "-W", "-r")  # pytest's options that a value follows
FOLDERS = ("tests", "devtools/tests")
# The edition is Odoo's operator's word: the tests choose it themselves.
NEUTRAL = ("STRIPE_CHECKOUT_EDITION", "STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY")
# What needs the terminal, or says by itself how many processes there are.
ALONE = ("-s", "--capture=no", "--pdb", "--trace", "-n", "--numprocesses", "--collect-only")
MOST_PROCESSES = 4


def main(argv):
    """Run the tests.

    :param list argv: Arguments for pytest. Paths among them replace the addon's test folders.
    :return: pytest's exit code, 1 if a test was skipped.
    :rtype: int
    """
    with platform() as runtime:
        databases.copy(runtime, runtime.installed_template, DATABASE)
        log = runtime.path / "tests.log"
        config = odoo_config.write(
            runtime, runtime.path / "tests.conf", DATABASE, logfile=log, max_cron_threads=0
        )
        environment = runtime.environment()
        for name in NEUTRAL:
            environment.pop(name, None)
        if not runtime.named_server:  # The programs with which each process copies the database.
            environment["PATH"] = os.pathsep.join([str(postgres.binaries()), environment["PATH"]])
        arguments = place(argv, runtime.addon_path)
        command = [
            *(runtime.python, "-m", "pytest"),
            *("-c", runtime.addon_path / "pyproject.toml", "--rootdir", runtime.addon_path),
            *("-p", "devtools.pytest_plugin", "-p", "no:cacheprovider"),
            # Without --odoo-http every HttpCase is skipped.
            *("--odoo-config", config, "--odoo-database", DATABASE, "--odoo-http"),
            *("--odoo-log-level", "info"),
            *_spread(argv, arguments, environment),
            *arguments,
        ]
        code = _call([str(part) for part in command], environment, runtime.path)
        if code:
            complain(f"Odoo's log: {keep_log('tests.log', log)}")
        return code


def place(arguments, addon_path):
    """Return pytest arguments with paths below the addon's own name.

    Only through the link that has the module's name do test modules import as
    ``odoo.addons.payment_stripe_checkout.tests.…``.

    :param list arguments: As the person wrote them: relative to the repository's root, or as
        pytest prints them. Without a path among them all test folders are added.
    :param Path addon_path: The link.
    :rtype: list
    """
    placed, paths = [], []
    for previous, argument in zip(["", *arguments], arguments, strict=False):
        name, separator, test = argument.removeprefix(f"addons/{ADDON}/").partition("::")
        is_value = argument.startswith("-") or previous in VALUED
        if is_value or not (ROOT / name).exists():
            placed.append(argument)
        else:
            paths.append(f"{addon_path / os.path.relpath(ROOT / name, ROOT)}{separator}{test}")
    return placed + (paths or [str(addon_path / name) for name in FOLDERS])


def _spread(argv, arguments, environment):
    """Return the options that run all tests side by side, each process on its own database.

    :param list argv: The person's arguments.
    :param list arguments: The same, placed: with tests named if the person named none.
    :param dict environment: Where pytest runs.
    :return: Options of pytest-xdist; none for chosen tests, or where the database cannot be copied.
    :rtype: list
    """
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    names_tests = len(arguments) == len(argv)
    alone = any(argument.startswith(ALONE) for argument in argv)
    if processes < 2 or names_tests or alone or not _can_copy(environment):
        return []
    # A file's tests share its servers. The files' own order begins with those that take longest.
    return ["-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"]


def _can_copy(environment):
    return all(shutil.which(name, path=environment["PATH"]) for name in ("createdb", "dropdb"))


def _call(command, environment, folder):
    process = subprocess.Popen(
        command, env=environment, cwd=folder, preexec_fn=die_with_parent(signal.SIGTERM)
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        # pytest then reports what had run.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


if __name__ == "__main__":
    run(main)
