"""The cache of the command: it is on unless the user turns it off, and never stops a run."""

from __future__ import annotations

import os

from purewasm_plugins.cli.exits import Exit, Failure
from purewasm_plugins.cli.output import print_error
from purewasm_plugins.errors import PluginError
from purewasm_plugins.module import CACHE_VARIABLE, directory_cache

#: The directory of no cache, as `PluginOptions.cache_dir` takes it.
NO_CACHE = ""


def chosen_directory(option: str | None) -> str:
    """Return the cache directory that the user chose, or else the user's own.

    Args:
        option: of `--cache-dir`. It goes before the environment variable PUREWASM_CACHE. An empty
            one is no cache.

    Returns:
        The path; `NO_CACHE` where there is none.
    """
    # Imported here: `--help` does not need it.
    from purewasm_plugins.support.user_folders import cache_folder

    chosen = os.environ.get(CACHE_VARIABLE) if option is None else option
    return cache_folder() or NO_CACHE if chosen is None else chosen


def usable_directory(option: str | None, *, quiet: bool = False) -> str:
    """Return the directory that `chosen_directory` returns, if it can be used.

    Where the user's own cannot be trusted, a line on standard error says so; where it cannot be
    made, as without a home directory or on a file system that is for reading only, nothing does.

    Args:
        option: as for `chosen_directory`.
        quiet: whether nothing is printed.

    Returns:
        The path; `NO_CACHE` where there is none.

    Raises:
        Failure: the user chose a directory that cannot be used.
    """
    directory = chosen_directory(option)
    try:
        directory_cache(directory)
    except PluginError as error:
        if option is not None or CACHE_VARIABLE in os.environ:
            raise Failure(str(error), Exit.USAGE) from error
        if error.__cause__ is None and not quiet:
            print_error(f"{error}: running without a cache (--no-cache omits this line)")
        return NO_CACHE
    return directory
