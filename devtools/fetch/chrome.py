"""A Chrome for browser tours: one on the machine, or Debian's Chromium unpacked into the cache."""

import ctypes
import os
import platform
import shutil
import stat
from pathlib import Path

from ..console import DevError, note
from .apt import private_apt, require
from .cache import Part, key_of
from .tools import run

NAMES = ("google-chrome", "chromium", "chromium-browser", "google-chrome-stable")
OWN = "install Chromium or name a Chrome with CHROME_BIN"

# The machine's loader does not know the unpacked libraries; fontconfig needs a font to draw with.
WRAPPER = """\
#!/bin/sh
export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export FONTCONFIG_FILE="{folder}/fonts.conf"
exec "{folder}/usr/lib/chromium/chromium" "$@"
"""
FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{folder}/usr/share/fonts</dir>
  <cachedir>{folder}/font-cache</cachedir>
</fontconfig>
"""


def host_key(*more):
    """Return a key for files that fit this machine's own release only."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    names = (release.get("ID"), release.get("VERSION_ID"), platform.machine())
    return key_of(*names, *more)


def installed():
    """Return the path of a Chrome on this machine, or None.

    :raise DevError: If CHROME_BIN names something that cannot be run.
    """
    named = os.environ.get("CHROME_BIN")
    if named:
        path = shutil.which(named)
        if path is None:
            raise DevError(f"CHROME_BIN={named} is no program that can be run.")
        return path
    return next(filter(None, map(shutil.which, NAMES)), None)


def part():
    """Return the part: Chromium with the libraries that the machine lacks."""
    return Part("Chromium (about 130 MB)", "chromium", host_key("chromium"), build)


def build(folder):
    """Unpack Chromium and prove that it runs."""
    with private_apt() as apt:
        apt.unpack_missing(["chromium", "fonts-liberation"], folder)
    if not (folder / "usr/lib/chromium/chromium").exists():
        raise DevError(f"This machine's archive has no Chromium: {OWN}.")
    (folder / "fonts.conf").write_text(FONTS.format(folder=folder))
    wrapper = folder / "google-chrome"
    wrapper.write_text(
        WRAPPER.format(folder=folder, libraries=":".join(map(str, library_folders(folder))))
    )
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    run(
        [wrapper, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "about:blank"],
        f"The unpacked Chromium does not run, so {OWN}",
    )


def locate():
    """Return the parts to provide and the path that Chrome then has.

    :raise DevError: If there is no Chrome and this is no Debian.
    """
    path = installed()
    if path:
        return [], Path(path)
    if not part().complete:
        require(OWN)
    return [part()], part().folder / "google-chrome"


def library_folders(folder):
    """Return the folders with shared libraries below a folder of unpacked packages."""
    roots = (folder / "usr" / "lib", folder / "lib")
    return sorted({path.parent for root in roots for path in root.rglob("lib*.so*")})


def cairo():
    """Return the parts for libcairo, which draws QR codes, and where its libraries then lie.

    :return: The parts to provide, and the folder to unpack it in, or None if the machine has it.
    :rtype: tuple
    """
    try:
        ctypes.CDLL("libcairo.so.2")
        return [], None
    except OSError:
        pass
    if not shutil.which("apt-get"):
        note("libcairo is missing: QR codes on invoices will not be drawn.")
        return [], None
    part_ = Part("libcairo", "cairo", host_key("libcairo2"), build_cairo)
    return [part_], part_.folder


def build_cairo(folder):
    """Unpack libcairo and the libraries that it needs."""
    with private_apt() as apt:
        apt.unpack_missing(["libcairo2"], folder)
