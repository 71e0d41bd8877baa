"""What a run has at hand. Tests read it to start more servers than the one they run in."""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ADDON = "payment_stripe_checkout"
ROOT = Path(__file__).resolve().parent.parent
VARIABLE = "PAYMENT_STRIPE_CHECKOUT_RUNTIME"
FILE = "runtime.json"

# Settings of the person's own that would change what a run does.
FOREIGN_VARIABLES = (
    "ODOO_RC",
    "OPENERP_SERVER",
    "PGDATABASE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
)


@dataclass(frozen=True)
class Runtime:
    """Everything needed to start Odoo servers and databases in this run.

    :param str folder: The run's folder, deleted at its end.
    :param str cache: The cache folder.
    :param str odoo_import_path: The folder that holds the package ``odoo``.
    :param str odoo_key: Changes with the version of Odoo.
    :param list odoo_addons: Folders with Odoo's own addons.
    :param str chrome: Path of a Chrome, or empty.
    :param str axe: Path of axe-core's script, or empty.
    :param str libraries: More folders for the loader of shared libraries, or empty.
    :param str named_server: The PGHOST of the person's own server, or empty.
    :param dict pg: libpq variables of the run's own server; empty if the person named one.
    :param str template: Database with ``account_payment`` and a chart of accounts.
    :param str installed_template: A copy of it with the addon installed.
    """

    folder: str
    cache: str
    odoo_import_path: str = ""
    odoo_key: str = ""
    odoo_addons: tuple = ()
    chrome: str = ""
    axe: str = ""
    libraries: str = ""
    named_server: str = ""
    pg: dict = None
    template: str = ""
    installed_template: str = ""

    @classmethod
    def from_environment(cls):
        """Return the runtime of the ./dev command that this process runs under.

        :raise RuntimeError: If there is none.
        """
        folder = os.environ.get(VARIABLE)
        if not folder:
            raise RuntimeError("There is no runtime: run this through ./dev.")
        return cls(**json.loads((Path(folder) / FILE).read_text()))

    def save(self):
        """Write the runtime where `from_environment` finds it."""
        (Path(self.folder) / FILE).write_text(json.dumps(asdict(self)))

    @property
    def python(self):
        """Path of the Python that has every package of the lock file."""
        return sys.executable

    @property
    def path(self):
        """The run's folder as a path."""
        return Path(self.folder)

    @property
    def data_dir(self):
        """Odoo's data folder (filestores, sessions) for all servers of this run."""
        return self.path / "data"

    @property
    def addon_path(self):
        """The repository's root under the addon's name: a folder's name is the module's."""
        return self.path / "addons" / ADDON

    @property
    def addons_path(self):
        """The value of Odoo's option ``addons_path``."""
        return ",".join([*map(str, self.odoo_addons), str(self.addon_path.parent)])

    def environment(self, **additions):
        """Return the environment for Odoo, pytest and what they start.

        :param str additions: Variables to add.
        """
        result = {
            name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES
        }
        result |= self.pg or {}
        result[VARIABLE] = self.folder
        result["PYTHONPATH"] = os.pathsep.join([self.odoo_import_path, str(self.path / "lib")])
        # Bytecode belongs into the cache and not into the repository.
        result["PYTHONPYCACHEPREFIX"] = str(Path(self.cache) / "bytecode")
        result["PATH"] = os.pathsep.join([str(self.path / "bin"), os.environ.get("PATH", "")])
        if self.libraries:
            result["LD_LIBRARY_PATH"] = self.libraries
        return result | additions

    def lay_out(self):
        """Make the links that give the repository its names as an addon and as a package."""
        for link, target in (
            (self.addon_path, ROOT),
            (self.path / "lib" / "devtools", ROOT / "devtools"),
            (self.path / "bin" / "google-chrome", self.chrome),
        ):
            link.parent.mkdir(exist_ok=True)
            if target and not link.is_symlink():
                link.symlink_to(target)
