"""`./dev lint`: ruff, pylint-odoo and prettier, each pinned; pre-commit's hooks call this too."""

import argparse
import subprocess
from pathlib import Path

from .console import DevError, say
from .runtime import ROOT, Runtime
from .session import run

PYTHON = (".py", "dev")  # the latter is ./dev itself
NO_ADDON_CODE = ("dev", "devtools")  # Odoo's conventions do not fit what Odoo never loads
MARKUP = (".xml", ".js", ".css", ".scss")


def parser():
    """Return the parser of the arguments that ./dev hands on."""
    result = argparse.ArgumentParser()
    result.add_argument("--fix", action="store_true")
    result.add_argument("--only", choices=sorted(TOOLS))
    result.add_argument("--node", type=Path)
    result.add_argument("files", nargs="*")
    return result


def main(argv):
    """Run the checks, all of them even if one fails.

    :param list argv: See `parser`.
    :return: 0 if all is well, else 1.
    :rtype: int
    """
    options = parser().parse_args(argv)
    runtime = Runtime.from_environment()
    runtime.lay_out()
    files = [Path(name).absolute() for name in options.files] or tracked()
    failed = []
    for name in [options.only] if options.only else TOOLS:
        tool, suffixes = TOOLS[name]
        chosen = [path for path in files if (path.suffix or path.name) in suffixes]
        if chosen and tool(chosen, options, runtime):
            failed.append(name)
    if failed:
        say(f"lint: {', '.join(failed)} found something to change.")
        return 1
    say(f"lint: {len(files)} files are well.")
    return 0


def tracked():
    """Return the repository's files, those that git does not ignore.

    :raise DevError: If git is missing.
    """
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        raise DevError("git is missing: install it, or name the files to check.") from None
    if listed.returncode:
        raise DevError(f"git cannot list the files: {listed.stderr.strip()}")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def ruff(files, options, runtime):
    """Run ruff's checks."""
    fix = ["--fix"] if options.fix else []
    return _call("ruff", [runtime.python, "-m", "ruff", "check", "--no-cache", *fix, *files])


def ruff_format(files, options, runtime):
    """Run ruff's formatter."""
    check = [] if options.fix else ["--diff"]
    return _call(
        "ruff format", [runtime.python, "-m", "ruff", "format", "--no-cache", *check, *files]
    )


def pylint(files, options, runtime):
    """Run pylint-odoo's checks, under the addon's own name: some depend on the folder's."""
    inside = [path.relative_to(ROOT) for path in files]
    addon = [runtime.addon_path / path for path in inside if path.parts[0] not in NO_ADDON_CODE]
    if not addon:
        return 0
    say("pylint …")
    command = [runtime.python, "-m", "pylint", "--rcfile", ROOT / ".pylintrc", "--jobs=1", *addon]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    output = (result.stdout + result.stderr).strip()
    if output:
        say(output.replace(f"{runtime.addon_path}/", ""))
    return result.returncode


def prettier(files, options, runtime):
    """Run prettier, with its plugin for XML."""
    modules = options.node / "node_modules"
    mode = "--write" if options.fix else "--check"
    return _call(
        "prettier",
        [
            *("node", modules / "prettier" / "bin" / "prettier.cjs", "--log-level", "warn"),
            *("--plugin", modules / "@prettier" / "plugin-xml" / "src" / "plugin.js"),
            *("--config", ROOT / ".prettierrc.json", mode),
            *files,
        ],
    )


TOOLS = {
    "ruff": (ruff, PYTHON),
    "ruff-format": (ruff_format, PYTHON),
    "pylint": (pylint, PYTHON),
    "prettier": (prettier, MARKUP),
}


def _call(name, command):
    say(f"{name} …")
    return subprocess.call([str(part) for part in command], cwd=ROOT)


if __name__ == "__main__":
    run(main)
