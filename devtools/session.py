"""What every command does around its own work: PostgreSQL, the template databases, and the end.

Runs in the virtual environment, below the process that the person started (see `supervisor`).
"""

import fcntl
import json
import os
import shutil
import signal
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from . import databases, odoo_config, template
from .console import DevError, complain, step
from .processes import become_subreaper, end_descendants
from .runtime import ADDON, FILE, VARIABLE, Runtime
from .supervisor import LOCK, PREFIX


@contextmanager
def platform():
    """Give a complete `Runtime`: PostgreSQL runs and both template databases are there.

    :raise DevError: If a part cannot be made or started.
    """
    runtime = Runtime.from_environment()
    runtime.lay_out()
    remove_stale(runtime)
    with ExitStack() as stack:
        if runtime.named_server:
            runtime = template.use_named_server(runtime, stack)
        else:
            runtime = template.start_own_server(runtime, stack)
        runtime = _install_addon(runtime)
        runtime.save()
        yield runtime


def _install_addon(runtime):
    name = f"psc_{runtime.path.name.rpartition('-')[2]}_installed"
    with step("Installing the addon"):
        databases.copy(runtime, runtime.template, name)
        odoo_config.install(runtime, name, [ADDON])
    return replace(runtime, installed_template=name)


def remove_stale(runtime):
    """Remove what runs left behind whose processes were all killed before they could tidy up."""
    for folder in runtime.path.parent.glob(f"{PREFIX}*"):
        try:
            with (folder / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left = Runtime(**json.loads((folder / FILE).read_text()))
                if left.named_server and left.named_server == runtime.named_server:
                    databases.drop_all(left)
                shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            continue  # in use, just being made, or another user's


def run(main):
    """Run a command's `main` and turn errors and signals into its exit code.

    :param main: Takes the command line's arguments, returns an exit code.
    """
    become_subreaper()
    supervisor = os.getppid()
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        code = main(sys.argv[1:])
    except DevError as error:
        complain(str(error))
        code = 2
    except KeyboardInterrupt:
        complain("Interrupted.")
        code = 130
    except SystemExit as ending:
        code = ending.code
    finally:
        end_descendants()
        if os.getppid() != supervisor:  # it was killed and cannot remove the folder any more
            shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)
    sys.exit(code)


def _terminate(_signal, _frame):
    raise SystemExit(143)


def _interrupt(_signal, _frame):
    # Once is enough: a second Ctrl-C must not cut the clean-up short.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
