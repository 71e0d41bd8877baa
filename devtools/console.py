"""What ./dev says to the person who runs it."""

import sys
import threading
import time
from contextlib import contextmanager


class DevError(Exception):
    """Something is missing or failed: shown as one clear line, with exit code 2."""


def say(text=""):
    """Print one line of output at once, also through a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(text):
    """Print one line on standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def note(text):
    """Tell something that is no error, beside the step that is under way."""
    complain(f"  note: {text}")


@contextmanager
def step(title):
    """Show a long step as ``title …  27 s``; on a terminal the seconds count up.

    :param str title: What is being done.
    """
    started = time.monotonic()
    finished = threading.Event()
    live = sys.stdout.isatty()

    def count_up():
        while not finished.wait(1):
            sys.stdout.write(f"\r{title} …  {time.monotonic() - started:.0f} s")
            sys.stdout.flush()

    sys.stdout.write(f"{title} …")
    sys.stdout.flush()
    ticker = threading.Thread(target=count_up, daemon=True)
    if live:
        ticker.start()
    outcome = "failed"
    try:
        yield
        outcome = f"{time.monotonic() - started:.0f} s"
    finally:
        finished.set()
        if live:
            ticker.join()
            sys.stdout.write(f"\r{title} …")
        say(f"  {outcome}")
