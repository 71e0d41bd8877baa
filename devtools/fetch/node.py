"""What comes from npm, pinned by its lock file: formatters, and the checker of accessibility."""

import shutil
from pathlib import Path

from .cache import Part, key_of
from .tools import find, run

MANIFEST = Path(__file__).parent.parent / "package.json"
LOCK = MANIFEST.with_name("package-lock.json")


def part():
    """Return the part: a folder with ``node_modules``.

    :raise DevError: If npm is missing.
    """
    find("npm", "install Node.js (Debian: apt-get install npm) to check pages, XML and JavaScript.")
    return Part("Checkers of pages, XML and JavaScript", "node", key_of(MANIFEST, LOCK), build)


def axe():
    """Return the path of axe-core, the script that checks how accessible a page is."""
    return part().folder / "node_modules" / "axe-core" / "axe.min.js"


def build(folder):
    """Install what the lock file names."""
    shutil.copy(MANIFEST, folder)
    shutil.copy(LOCK, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder]
    run(command, "The packages of npm did not install", cwd=folder)
