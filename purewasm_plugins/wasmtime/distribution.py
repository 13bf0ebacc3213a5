"""The distribution `wasmtime` as package managers see it, wherever the stand-in takes its name."""

from __future__ import annotations

import os
from importlib.metadata import Distribution
from pathlib import Path

from purewasm_plugins.support.version import VERSION as OUR_VERSION
from purewasm_plugins.wasmtime.interface import NAME

__all__ = ["StandInDistribution", "metadata_files"]


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


class StandInDistribution(Distribution):
    """The distribution of a stand-in that `install` put in place: no file of it is installed."""

    def __init__(self, version: str) -> None:
        """Take the version that it says it is."""
        self._files = metadata_files(version)

    def read_text(self, filename: str) -> str | None:
        """Return a file of the metadata; see `importlib.metadata.Distribution.read_text`."""
        return self._files.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        """Return where a file would be; see `importlib.metadata.Distribution.locate_file`."""
        return Path(__file__).parent / path
