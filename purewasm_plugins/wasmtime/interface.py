"""The interface that the stand-in keeps: the name and the version of the distribution."""

from __future__ import annotations

import re

from purewasm_plugins.errors import InvalidOptionError

__all__ = ["NAME", "VERSION", "check_version"]

#: The name of the distribution, and of the package that is imported.
NAME = "wasmtime"

#: The version of wasmtime-py whose interface it is.
VERSION = "50.0.1"


def check_version(version: str) -> None:
    """Refuse what is no version of a release.

    Raises:
        InvalidOptionError: it is none.
    """
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}", version):
        raise InvalidOptionError("version", f"it must be numbers such as {VERSION}: {version!r}")
