"""``python -m devtools.standin``: serve until SIGTERM or SIGINT."""

import argparse
import signal
import threading

from . import StandIn


def main():
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m devtools.standin", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_signal: ended.set())
    with StandIn(arguments.host, arguments.port) as standin:
        print(f"Stripe stand-in on {standin.url}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
