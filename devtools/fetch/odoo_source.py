"""Odoo 19: Debian's package, unpacked, or a folder of the user's own."""

import json
import os
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..console import DevError, note
from .apt import NO_DEBIAN, private_apt, require
from .cache import Part, key_of
from .tools import run

LOCK = Path(__file__).parent.parent / "debian.lock.json"
VERSION = 19
SEGMENTATION = ("@mediapipe/selfie_segmentation", "0.1.1675465747")
SEGMENTATION_FILE = "mail/static/lib/selfie_segmentation/selfie_segmentation.js"


@dataclass(frozen=True)
class OdooSource:
    """Where Odoo is.

    :param Path import_path: The folder that Python finds the package ``odoo`` in.
    :param tuple addons_paths: Folders with Odoo's own addons.
    :param str key: Changes when Odoo changes.
    """

    import_path: Path
    addons_paths: tuple
    key: str


def locked_packages():
    """Return the Debian packages by suite, as ``{suite: {package: tried version}}``."""
    return json.loads(LOCK.read_text())


def part():
    """Return the part: Debian's Odoo with the files that it links to."""
    return Part(title="Odoo 19 (123 MB)", name="odoo", key=key_of(LOCK), build=build)


def build(folder):
    """Unpack Odoo and what its links point to into one folder: the links are relative."""
    for suite, packages in locked_packages().items():
        with private_apt(suite) as apt:
            apt.unpack(packages, folder)


def fetched():
    """Return the `OdooSource` for the part."""
    root = part().folder / "usr" / "lib" / "python3" / "dist-packages"
    return OdooSource(root, (root / "odoo" / "addons",), part().key)


def segmentation_part():
    """Return the part: the one file of Odoo's that Debian leaves out.

    Without it every tour in the backend ends with a console error.
    """
    key = key_of(LOCK, *SEGMENTATION)
    return Part("A script of Odoo's mail addon", "segmentation", key, add_segmentation)


def add_segmentation(_folder):
    """Copy the file out of its npm package into the fetched Odoo."""
    target = fetched().addons_paths[0] / SEGMENTATION_FILE
    with tempfile.TemporaryDirectory(prefix="psc-npm-") as folder:
        package = "@".join(SEGMENTATION)
        run(["npm", "pack", package], f"{package} did not download", cwd=folder)
        archive = next(Path(folder).glob("*.tgz"))
        with tarfile.open(archive) as content:
            source = content.extractfile("package/selfie_segmentation.js")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read())


def segmentation_parts():
    """Return the part above in a list, or none, with a note, where npm is missing."""
    if segmentation_part().complete:
        return []
    if shutil.which("npm"):
        return [segmentation_part()]
    note("npm is missing: browser tours in Odoo's backend will fail, all else works.")
    return []


def from_home(home):
    """Return the `OdooSource` for a folder named by ODOO_HOME.

    :param str home: A source checkout (``odoo-bin``, ``addons``) or a ``dist-packages`` folder.
    :raise DevError: If it is neither, or another version than 19.
    """
    root = Path(home).expanduser().absolute()
    release = root / "odoo" / "release.py"
    if not release.is_file():
        raise DevError(f"ODOO_HOME={home} is no Odoo: it has no odoo/release.py.")
    found = re.search(r"^version_info = \((\d+),", release.read_text(), re.MULTILINE)
    if not found or int(found[1]) != VERSION:
        raise DevError(f"ODOO_HOME={home} is not Odoo {VERSION}, which is needed.")
    # A checkout has most addons beside the package, an installed Odoo has all of them in it.
    candidates = (root / "odoo" / "addons", root / "addons")
    addons = tuple(path for path in candidates if any(path.glob("*/__manifest__.py")))
    if not any((path / "account_payment").is_dir() for path in addons):
        raise DevError(f"ODOO_HOME={home} has no addon account_payment.")
    # A pull changes the index: the template database must then be made anew.
    signs = (root / ".git" / "index", release)
    state = [path.stat().st_mtime_ns for path in signs if path.exists()]
    return OdooSource(root, addons, key_of(str(root), *state))


def locate():
    """Return the parts to provide and a function that then gives the `OdooSource`.

    :rtype: tuple
    :raise DevError: If neither is possible.
    """
    home = os.environ.get("ODOO_HOME")
    if home:
        source = from_home(home)
        return [], lambda: source
    if not part().complete:
        require(NO_DEBIAN)
    return [part()], fetched
