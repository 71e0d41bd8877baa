"""The command line of ./dev: fetch what a command needs, then run it in the virtual environment."""

import argparse
import errno
import os
import signal

from .console import DevError, complain
from .fetch import chrome, node, odoo_source, python_env
from .fetch.cache import cache_root, provide
from .supervisor import supervise

EPILOG = """\
The first run fetches what is missing into the cache folder; later runs start in seconds.

environment:
  ODOO_HOME        an Odoo 19 of your own: a source checkout or a dist-packages folder
  PGHOST           a PostgreSQL server of your own (with PGPORT, PGUSER, PGPASSWORD as usual)
  CHROME_BIN       a Chrome or Chromium of your own
  XDG_CACHE_HOME   where the cache lies (default: ~/.cache)
  STRIPE_SECRET_KEY, STRIPE_PUBLISHABLE_KEY
                   test keys of a Stripe account: `demo` then uses Stripe itself
"""


# Seconds; all random histories are one test, and one of them takes a second or two.
DEEP_TIMEOUT = 4 * 3600


def parser():
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="./dev",
        description="Run, test and check the Odoo addon payment_stripe_checkout.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo", help="pay an invoice through the local Stripe stand-in, then keep serving"
    )
    demo.add_argument("--once", action="store_true", help="end after the payment")
    demo.add_argument("--port", type=int, help="Odoo's port (default: a free one)")
    test = commands.add_parser("test", help="run all tests; a skipped test fails the run")
    test.add_argument(
        "--deep", action="store_true", help="play thousands of random histories instead of 200"
    )
    test.add_argument("rest", nargs="*", metavar="-- PYTEST_ARGS", help="handed to pytest")
    lint = commands.add_parser("lint", help="check the code as pre-commit does")
    lint.add_argument("--fix", action="store_true", help="format, and repair what can be")
    lint.add_argument("--only", metavar="TOOL", help="ruff, ruff-format, pylint or prettier")
    lint.add_argument("files", nargs="*", metavar="FILE", help="default: all of the repository")
    odoo = commands.add_parser("odoo", help="run Odoo by hand on a fresh database with the addon")
    odoo.add_argument("rest", nargs="*", metavar="-- ODOO_ARGS", help="default: server")
    commands.add_parser("i18n", help="bring the files of translations up to date with the texts")
    return result


def main(argv):
    """Run ./dev.

    :param list argv: The arguments after the program's name.
    :return: The exit code: 0, 1 for failed checks or tests, 2 when something is missing.
    :rtype: int
    """
    options = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return HANDLERS[options.command](options)
    except DevError as error:
        complain(str(error))
        return 2
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        complain(f"{error.filename or cache_root()}: {error.strerror}.")
        return 2
    except KeyboardInterrupt:
        complain("Interrupted.")
        return 130


def _terminate(_signal, _frame):
    raise SystemExit(143)  # an exception, so that what is under way tidies up


def _demo(options):
    arguments = ["--once"] if options.once else []
    if options.port:
        arguments += ["--port", str(options.port)]
    return _run_on_odoo("demo", arguments)


def _test(options):
    arguments = options.rest
    if options.deep:
        os.environ["PSC_HISTORIES"] = "3000"
        arguments = [f"--timeout={DEEP_TIMEOUT}", *arguments]
    return _run_on_odoo("testing", arguments, browser=True)


def _odoo(options):
    return _run_on_odoo("odoo_by_hand", options.rest)


def _i18n(_options):
    return _run_on_odoo("translations", [])


def _lint(options):
    parts = [python_env.part()]
    arguments = ["--fix"] if options.fix else []
    if options.only:
        arguments += ["--only", options.only]
    if options.only in (None, "prettier"):
        parts.append(node.part())
        arguments += ["--node", str(node.part().folder)]
    provide(parts)
    facts = _facts()
    python = python_env.interpreter(parts[0].folder)
    return supervise(python, "lint", [*arguments, "--", *options.files], facts)


HANDLERS = {"demo": _demo, "test": _test, "lint": _lint, "odoo": _odoo, "i18n": _i18n}


def _run_on_odoo(module, arguments, browser=False):
    """Provide the platform and run a command on it."""
    odoo_parts, odoo_source_of = odoo_source.locate()
    cairo_parts, cairo_folder = chrome.cairo()
    parts = [python_env.part(), *odoo_parts, *cairo_parts]
    facts = _facts()
    if browser:
        chrome_parts, facts["chrome"] = chrome.locate()
        parts += [*chrome_parts, node.part()]
        facts["axe"] = node.axe()
        if odoo_parts:
            parts += odoo_source.segmentation_parts()
    provide(parts)
    odoo = odoo_source_of()
    facts |= {
        "odoo_import_path": odoo.import_path,
        "odoo_key": odoo.key,
        "odoo_addons": odoo.addons_paths,
    }
    if cairo_folder:
        facts["libraries"] = os.pathsep.join(map(str, chrome.library_folders(cairo_folder)))
    return supervise(python_env.interpreter(parts[0].folder), module, arguments, facts)


def _facts():
    return {"cache": cache_root(), "named_server": os.environ.get("PGHOST", "")}
