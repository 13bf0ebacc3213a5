"""The command `purewasm`: it parses and prints; what happens is decided in the other layers.

Nothing at module level here needs click or rich, which come with the extra `cli` only.
"""

from __future__ import annotations

import sys

#: Exit statuses where the command proper cannot say so itself: as for wrong usage, and for Ctrl-C.
_NOT_INSTALLED = 2
_INTERRUPTED = 130


def main() -> int:
    """Run the command on `sys.argv`.

    Returns:
        The exit status; the README and `purewasm --help` say what it means.
    """
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
