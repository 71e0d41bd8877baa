"""Run the package clients of the machine (apt, pip, npm) and say in one line what went wrong."""

import os
import shutil
import signal
import subprocess

from ..console import DevError
from ..processes import die_with_parent
from .cache import keep_log

# Signs, in the clients' own words, that the network is the problem.
OFFLINE_SIGNS = (
    "Could not resolve",
    "Temporary failure",
    "Could not connect",
    "Connection failed",
    "Network is unreachable",
    "Failed to establish a new connection",
    "Cannot connect to proxy",
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ENETUNREACH",
)


def find(program, what_to_do):
    """Return the path of a program.

    :raise DevError: If it is not installed; `what_to_do` ends the line.
    """
    path = shutil.which(program)
    if path is None:
        raise DevError(f"{program} is missing: {what_to_do}")
    return path


def clean_environment(**additions):
    """Return the environment without what would change which Python code a child sees."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "PIP_USER")
    }
    return environment | additions


def run(command, purpose, **options):
    """Run a client quietly.

    :param list command: The program and its arguments.
    :param str purpose: What it is for, as the error begins: "Odoo could not be downloaded".
    :param options: As for `subprocess.run`.
    :return: Its standard output.
    :rtype: str
    :raise DevError: If it fails; its output is kept in a log file that the message names.
    """
    options.setdefault("env", clean_environment())
    result = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        # Nothing may go on writing into a folder that the next run clears away.
        preexec_fn=die_with_parent(signal.SIGKILL),
        **options,
    )
    if result.returncode:
        raise DevError(explain(purpose, result.stdout + result.stderr))
    return result.stdout


def explain(purpose, output):
    """Return the one line for a client that failed, and keep its output in a log file."""
    log = keep_log("fetch.log", output)
    if any(sign in output for sign in OFFLINE_SIGNS):
        return f"{purpose}: no network, or the package archive does not answer. See {log}."
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("E:", "ERROR", "npm error", "error"))]
    last = (telling or lines or ["it gave no reason"])[0][:200]
    return f"{purpose}: {last} See {log}."
