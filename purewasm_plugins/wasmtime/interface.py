"""The interface that the stand-in keeps: the name, version and metadata of the distribution."""

from __future__ import annotations

import re

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.support.version import VERSION as OUR_VERSION

__all__ = ["NAME", "VERSION", "check_version", "metadata_files"]

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


def metadata_files(version: str) -> dict[str, str]:
    """Return the files of the metadata that no file system has a part in, by name."""
    metadata = f"""\
Metadata-Version: 2.1
Name: {NAME}
Version: {version}
Summary: Stand-in for wasmtime: its interface over purewasm-plugins, in pure Python
License: MIT
Requires-Python: >=3.11
Requires-Dist: purewasm-plugins=={OUR_VERSION}
"""
    return {"METADATA": metadata, "top_level.txt": f"{NAME}\n"}
