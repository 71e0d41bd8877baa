"""A command that never ends and has an orphan in another session: see `test_processes`."""

import os
import subprocess
import time
from pathlib import Path

from ..runtime import Runtime
from ..session import run


def main(argv):
    # The shell ends at once; what it started has no parent of ours any more.
    shell = ["sh", "-c", "setsid sleep 1000 >/dev/null & echo $!"]
    orphan = subprocess.run(shell, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    facts = f"{os.getpid()} {orphan} {Runtime.from_environment().folder}"
    Path(argv[0]).with_suffix(".part").write_text(facts)
    Path(argv[0]).with_suffix(".part").rename(argv[0])
    time.sleep(1000)


if __name__ == "__main__":
    run(main)
