"""`./dev i18n`: bring the template and the files of translations up to date with the texts."""

import polib

from . import databases, odoo_config
from .console import say
from .runtime import ADDON, ROOT
from .session import platform, run

FOLDER = ROOT / "i18n"


def main(argv):
    """Export the texts with Odoo's own tool, and merge them into each language's file.

    Translations that are there stay; what is new stands there empty.

    :param list argv: No arguments are taken.
    :return: Odoo's exit code.
    :rtype: int
    """
    template = FOLDER / f"{ADDON}.pot"
    with platform() as runtime:
        database = "translations"
        databases.copy(runtime, runtime.installed_template, database)
        config = odoo_config.write(runtime, runtime.path / "translations.conf", database)
        command = ["i18n", "export", "-c", config, "-l", "pot", "-o", template, ADDON]
        code = odoo_config.run(runtime, [str(part) for part in command])
    if code:
        return code
    pot = polib.pofile(str(template))
    for moment in ("POT-Creation-Date", "PO-Revision-Date"):
        pot.metadata.pop(moment, None)  # Else each run would be a change.
    pot.save()
    for path in sorted(FOLDER.glob("*.po")):
        po = polib.pofile(str(path), wrapwidth=78)
        po.merge(pot)
        for entry in po.obsolete_entries():
            po.remove(entry)
        po.save()
        say(f"{path.name}: {len(po.untranslated_entries())} of {len(po)} terms are not translated")
    return 0


if __name__ == "__main__":
    run(main)
