"""The virtual environment with every Python package, pinned by the lock file."""

import importlib.util
import sys
import sysconfig
from pathlib import Path

from ..console import DevError
from .apt import private_apt, require
from .cache import Part, key_of
from .tools import run

LOCK = Path(__file__).parent.parent / "requirements.lock.txt"
PURPOSE = "The Python packages did not install"


def parse_lock(text):
    """Return the requirement lines of a lock file, without comments and empty lines."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def locked_version(package):
    """Return the version of a package in the lock file."""
    lines = parse_lock(LOCK.read_text())
    return next(line.split("==")[1] for line in lines if line.startswith(f"{package}=="))


def part():
    """Return the part: a folder with a virtual environment."""
    packages = parse_lock(LOCK.read_text())
    return Part(
        title=f"{len(packages)} Python packages",
        name="python",
        key=key_of(LOCK, sys.executable, sys.version),
        build=build,
    )


def interpreter(folder):
    """Return the environment's Python."""
    return folder / "bin" / "python"


def build(folder):
    """Make the environment. Works on a Debian without python3-venv, too.

    pip runs from its wheel and not from the environment: so it starts no process of its own, which
    could go on writing after this one was killed.

    :param Path folder: An empty folder.
    :raise DevError: If a part of Python is missing or a package cannot be installed.
    """
    if not importlib.util.find_spec("venv"):
        raise DevError("This Python has no venv module: install the package python3-venv.")
    command = [sys.executable, "-m", "venv", "--without-pip", folder]
    run(command, "The virtual environment was not made")
    wheel = bundled_pip()
    if wheel is None:
        # Debian splits pip's wheel off into a package of its own, which needs no root to unpack.
        require("install pip's wheel for this Python")
        with private_apt() as apt:
            apt.unpack({"python3-pip-whl": None}, folder / "debian")
        wheel = next((folder / "debian").glob("usr/share/python-wheels/pip-*.whl"))
    # The lock is the whole closure; wheels only, so that no compiler is needed.
    pip = [interpreter(folder), wheel / "pip", "install", "-q", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "--only-binary", ":all:", "-r", LOCK], PURPOSE)


def bundled_pip():
    """Return the pip wheel that comes with this Python, or None."""
    spec = importlib.util.find_spec("ensurepip")
    folders = [Path(spec.origin).parent / "_bundled"] if spec else []
    # Debian keeps the wheel of its own Python elsewhere; it may be too old for another one.
    folders.append(Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "/usr/share/python-wheels"))
    wheels = [wheel for folder in folders for wheel in folder.glob("pip-*.whl")]
    return next(iter(wheels), None)
