"""The cache of what was fetched: one folder a part, keyed by what it was made from."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..console import DevError, say, step

NAME = "payment_stripe_checkout"
MARKER = ".complete"
NEEDED_BYTES = 4 * 1024**3


def cache_root():
    """Return the cache folder of this addon, made where it is missing.

    :raise DevError: If it cannot be made.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(base).absolute() / NAME
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DevError(
            f"The cache folder {root} cannot be made ({error.strerror}): set XDG_CACHE_HOME."
        ) from None
    return root


def key_of(*ingredients):
    """Return a short key that changes when any of the ingredients does.

    :param ingredients: Paths, whose content counts, or values, whose text counts.
    """
    digest = hashlib.sha256()
    for ingredient in ingredients:
        content = (
            ingredient.read_bytes() if isinstance(ingredient, Path) else str(ingredient).encode()
        )
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Part:
    """One thing to fetch or make.

    :param str title: What the person sees.
    :param str name: The first half of the folder's name; the key is the second.
    :param str key: From `key_of`.
    :param build: Called with the empty folder, fills it or raises.
    """

    title: str
    name: str
    key: str
    build: Callable[[Path], None]

    @property
    def folder(self):
        return cache_root() / f"{self.name}-{self.key}"

    @property
    def complete(self):
        return (self.folder / MARKER).exists()


def provide(parts):
    """Make the parts that are missing, in order, each announced with its number.

    A part counts once its marker file is there; a folder without one was interrupted and is made
    anew. Two runs at once wait for each other part by part.

    :param list parts: The `Part` objects that a command needs.
    :raise DevError: If one cannot be made.
    """
    missing = [part for part in parts if not part.complete]
    if not missing:
        return
    root = cache_root()
    if shutil.disk_usage(root).free < NEEDED_BYTES:
        raise DevError(
            f"The first run needs 4 GB in {root}: free some space or set XDG_CACHE_HOME."
        )
    for number, part in enumerate(missing, start=1):
        with _lock(root / f".{part.name}.lock", part.title):
            if part.complete:  # another run made it while this one waited
                continue
            shutil.rmtree(part.folder, ignore_errors=True)
            part.folder.mkdir()
            with step(f"[{number}/{len(missing)}] {part.title}"):
                part.build(part.folder)
            (part.folder / MARKER).touch()


@contextmanager
def _lock(path, title):
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{title}: another ./dev is fetching it, waiting.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def keep_log(name, text):
    """Keep the output of a failed step.

    :param str name: The file's name in the cache's log folder.
    :param text: The output, or the path of a log file.
    :return: The file.
    :rtype: Path
    """
    path = cache_root() / "logs" / name
    path.parent.mkdir(exist_ok=True)
    if isinstance(text, Path):
        text = text.read_text(errors="replace") if text.exists() else ""
    path.write_text(text)
    return path
