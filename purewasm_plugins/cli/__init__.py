"""The command `purewasm`: it parses arguments and prints; the other rooms do the work.

No module-level import here needs click or rich, which are installed with the extra `cli` only.
"""

from __future__ import annotations

import sys
from typing import NoReturn

#: The exit statuses where click is missing, as for wrong usage, and after Ctrl-C.
_NOT_INSTALLED = 2
_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command on `sys.argv`, and exit.

    It exits by itself, so that a zipapp whose entry point this is has the right exit status.

    Raises:
        SystemExit: always, with the exit status; `purewasm --help` lists them.
    """
    sys.exit(_run())


def _run() -> int:
    try:
        from purewasm_plugins.cli.application import purewasm

        return purewasm.run(sys.argv[1:])
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        extra = "pip install 'purewasm-plugins[cli]'"
        print(f"purewasm: the command needs the extra: {extra}", file=sys.stderr)
        return _NOT_INSTALLED
    except KeyboardInterrupt:
        return _INTERRUPTED
