"""Debian packages without root: a private apt state, unpacked into folders of ours.

Nothing is installed on the machine, and no archive's address is written here: the sources are
derived from those the machine already uses.
"""

import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

from ..console import DevError, note
from .tools import find, run

# `apt-get update` as root would otherwise run the host's hooks, and drop to a user who cannot
# enter the cache folder.
CONFIGURATION = """\
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Debug::NoLocking "1";
Dir::State::lists "{state}/lists";
Dir::Cache "{state}/cache";
Dir::Cache::archives "{state}/archives";
"""
ANOTHER_SUITE = """\
Dir::Etc::sourcelist "{state}/suite.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::status "{state}/status";
"""
LISTS = "The Debian archive's lists did not download"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NO_DEBIAN = "set ODOO_HOME to a folder with Odoo 19"


class Apt:
    """apt-get with lists, cache and sources of its own. Made by `private_apt`."""

    def __init__(self, configuration, state):
        self.configuration = configuration
        self.state = state

    def get(self, *arguments, purpose, **options):
        """Run ``apt-get`` and return its output."""
        return run(["apt-get", "-c", self.configuration, "-q", *arguments], purpose, **options)

    def versions(self, package):
        """Return the versions of a package that the archive has, the newest first."""
        table = run(
            ["apt-cache", "-c", self.configuration, "madison", package],
            f"The archive's list has no {package}",
        )
        return parse_madison(table)

    def unpack(self, wanted, target):
        """Download packages and unpack them into a folder.

        :param dict wanted: Package names and the versions that were tried, or None for any. Where
            the archive no longer has that version, the current one is taken and a note says so.
        :param Path target: The folder.
        :raise DevError: If a package is not there or cannot be downloaded.
        """
        names = []
        for package, tried in wanted.items():
            available = self.versions(package)
            if not available:
                raise DevError(f"Debian's archive has no package {package}: {NO_DEBIAN}.")
            names.append(f"{package}={tried}" if tried in available else package)
            if tried and tried not in available:
                note(f"{package} {tried} is gone from the archive, taking {available[0]}.")
        folder = self.state / "archives"
        self.get("download", *names, purpose="Debian packages did not download", cwd=folder)
        unpack_all(folder, target)

    def unpack_missing(self, packages, target):
        """Download packages with all that they need and the machine lacks, and unpack them.

        :param list packages: Package names, from the machine's own suite.
        :param Path target: The folder.
        """
        self.get(
            *("install", "--yes", "--download-only", "--no-install-recommends", *packages),
            purpose=f"{packages[0]} did not download",
        )
        unpack_all(self.state / "archives", target)


def require(what_to_do):
    """Check, before anything is fetched, that this is a Debian.

    :param str what_to_do: How to do without, as the error's end.
    :raise DevError: If it is not.
    """
    for program in ("apt-get", "apt-cache", "dpkg-deb"):
        find(program, f"this is no Debian, so {what_to_do}.")


@contextmanager
def private_apt(suite=None):
    """Give an `Apt` whose lists are fresh and which leaves nothing behind.

    :param str suite: Another suite of the machine's own Debian archive; None for what the machine
        itself is set up with.
    :raise DevError: If the archive does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="psc-apt-") as folder:
        state = Path(folder)
        for name in ("lists/partial", "cache", "archives/partial"):
            (state / name).mkdir(parents=True)
        configuration = state / "apt.conf"
        configuration.write_text(CONFIGURATION.format(state=state))
        apt = Apt(configuration, state)
        if suite:
            _switch_to(suite, apt)
        else:
            apt.get("update", purpose=LISTS)
        yield apt


def _switch_to(suite, apt):
    """Make an `Apt` see another suite of the first of the machine's archives that has it."""
    known = apt.get("update", "--print-uris", purpose="apt has no usable sources")
    bases = archive_bases(known)
    if not bases:
        raise DevError(f"apt knows no Debian archive: {NO_DEBIAN}.")
    with apt.configuration.open("a") as handle:
        handle.write(ANOTHER_SUITE.format(state=apt.state))
    (apt.state / "status").touch()
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    for base in bases:
        (apt.state / "suite.list").write_text(f"deb {signed}{base} {suite} main\n")
        try:
            apt.get("update", purpose=LISTS)
            return
        except DevError:
            if base == bases[-1]:
                raise


def archive_bases(print_uris):
    """Return the archives that the machine takes whole suites from, Debian's own layout first.

    :param str print_uris: The output of ``apt-get update --print-uris`` for its own sources.
    :return: Base addresses, without those of security updates.
    :rtype: list
    """
    found = re.findall(r"^'(\S+?)/?/dists/([^/' ]+)/InRelease'", print_uris, re.MULTILINE)
    bases = dict.fromkeys(base for base, suite in found if "security" not in suite)
    return sorted(bases, key=lambda base: not base.endswith("/debian"))


def parse_madison(table):
    """Return the versions in the output of ``apt-cache madison``, in its order."""
    rows = (line.split("|") for line in table.splitlines())
    return [row[1].strip() for row in rows if len(row) == 3]


def unpack_all(folder, target):
    """Unpack every ``.deb`` of a folder into another, and delete it."""
    for package in sorted(folder.glob("*.deb")):
        run(["dpkg-deb", "-x", package, target], f"{package.name} did not unpack")
        package.unlink()
