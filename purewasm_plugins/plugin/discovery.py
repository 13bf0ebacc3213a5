"""Where plugins are found: the user's folder, and the entry points of installed packages.

Nothing of a package is imported: an entry point names a file of it.

    [project.entry-points."purewasm.plugins"]
    json = "my_package.plugins:json.wasm"
"""

from __future__ import annotations

import os
from importlib.metadata import Distribution, EntryPoint, distributions
from importlib.util import find_spec
from pathlib import Path

from purewasm_plugins.errors import PluginFileError
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.suggestions import listed, similar_name
from purewasm_plugins.support.typed import Iterator
from purewasm_plugins.support.user_folders import config_folder

__all__ = ["GROUP", "RESTRICTION", "FoundPlugin", "find_plugins", "plugins_folder"]

#: The group of the entry points.
GROUP = "purewasm.plugins"

#: The environment variable with the names of the entry points that are used, with commas between
#: them. Empty, none is used; without it, all are.
RESTRICTION = "PUREWASM_PLUGINS"

_SUFFIX = ".wasm"
_KIND = "entry point"


class FoundPlugin(Record):
    """A plugin that was found; nothing of it has been read.

    Attributes:
        name: the name of its entry point, or of its file without `.wasm`.
        origin: what it is from, in words.
        path: its file; None where there is none.
        error: why there is no file, or None.
    """

    name: str
    origin: str
    path: Path | None = None
    error: PluginFileError | None = None

    def file(self) -> Path:
        """Return its file.

        Raises:
            PluginFileError: there is none.
        """
        if self.path is None:
            raise self.error or PluginFileError(self.name, "there is no file", _KIND)
        return self.path


def plugins_folder() -> Path | None:
    """Return the user's folder of plugins; None if there is none.

    It is `$XDG_CONFIG_HOME/purewasm/plugins` or `~/.config/purewasm/plugins`; on macOS
    `~/Library/Application Support/purewasm/plugins`; on Windows `%APPDATA%\\purewasm\\plugins`.
    """
    folder = config_folder()
    return None if folder is None else Path(folder, "plugins")


def find_plugins(folder: str | os.PathLike[str] | None = None) -> list[FoundPlugin]:
    """Find plugins: first those of a folder, then those of entry points, each by their names.

    Args:
        folder: the folder, which must be there; None for that of the user, which need not.

    Returns:
        The plugins, those with an error among them.

    Raises:
        PluginFileError: the folder cannot be read.
    """
    return [*_in_folder(folder), *_declared()]


def _in_folder(folder: str | os.PathLike[str] | None) -> Iterator[FoundPlugin]:
    chosen = plugins_folder() if folder is None else Path(folder)
    if chosen is None or (folder is None and not os.path.isdir(chosen)):
        return
    for path in wasm_files(chosen):
        yield FoundPlugin(path.name.removesuffix(_SUFFIX), f"the file '{path}'", path)


def wasm_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the `.wasm` files of a folder, sorted.

    Raises:
        PluginFileError: the folder cannot be read.
    """
    try:
        return sorted(entry for entry in Path(folder).iterdir() if entry.suffix == _SUFFIX)
    except (OSError, ValueError) as error:
        details = getattr(error, "strerror", None) or str(error)
        raise PluginFileError(str(folder), details, "plugin directory") from error


def find_entry_point(name: str) -> FoundPlugin:
    """Return the plugin of an entry point; one with an error where there is none of that name."""
    found = list(_allowed())
    for one in found:
        if one.name == name:
            return one
    return _missing(name, [one.name for one in found], "the entry points")


def _declared() -> Iterator[FoundPlugin]:
    """Find the plugins of entry points that PUREWASM_PLUGINS allows, and what it has beside."""
    found = list(_allowed())
    yield from found
    names = [one.name for one in found]
    for name in _restriction() or ():
        if name not in names:
            others = [one.name for one in _entry_points()]
            yield _missing(name, others, f"the variable {RESTRICTION}")


def _restriction() -> list[str] | None:
    """Return the names in PUREWASM_PLUGINS; None where there is no such variable."""
    chosen = os.environ.get(RESTRICTION)
    return (
        None if chosen is None else [name for part in chosen.split(",") if (name := part.strip())]
    )


def _allowed() -> Iterator[FoundPlugin]:
    wanted = _restriction()
    # The metadata of packages takes time to read.
    if wanted != []:
        yield from (one for one in _entry_points() if wanted is None or one.name in wanted)


def _missing(name: str, names: list[str], origin: str) -> FoundPlugin:
    similar = similar_name(name, names)
    hint = f"did you mean '{similar}'?" if similar else f"there are: {listed(names) or 'none'}"
    details = f"no package has an entry point of that name; {hint}"
    return FoundPlugin(name, origin, None, PluginFileError(name, details, _KIND))


def _entry_points() -> list[FoundPlugin]:
    """Find the plugins of all entry points. Of two packages of one name, the first one counts."""
    found: dict[tuple[str, str], FoundPlugin] = {}
    for distribution in distributions():
        # What a package wrote into its metadata must not hide the others.
        try:
            entries = [entry for entry in distribution.entry_points if entry.group == GROUP]
            package = str(distribution.metadata["Name"]) if entries else ""
        except Exception:
            continue
        for entry in entries:
            found.setdefault((entry.name, package), _resolved(entry, package, distribution))
    return [found[key] for key in sorted(found)]


def _resolved(entry: EntryPoint, package: str, distribution: Distribution) -> FoundPlugin:
    """Find the file that an entry point names."""
    origin = f"the entry point '{entry.name}' of the package '{package}'"
    module, _, resource = (part.strip() for part in entry.value.partition(":"))
    folders, parts = module.split("."), resource.split("/")
    if (
        not all(folder.isidentifier() for folder in folders)
        or not resource.endswith(_SUFFIX)
        or {"", ".", ".."} & {*parts}
        or any(character in resource for character in ":\\\0")
    ):
        details = f"its value must be PACKAGE:FILE.wasm, and is {entry.value!r}"
        error = PluginFileError(entry.name, details, _KIND)
        return FoundPlugin(entry.name, origin, None, error)
    for place in _places(folders, distribution):
        path = place.joinpath(*parts)
        # `Path.is_file` raises where the system refuses to look.
        if os.path.isfile(path):
            return FoundPlugin(entry.name, origin, path)
    details = f"the package '{package}' has no file '{resource}' in '{module}'"
    return FoundPlugin(entry.name, origin, None, PluginFileError(entry.name, details, _KIND))


def _places(folders: list[str], distribution: Distribution) -> Iterator[Path]:
    """Yield the folders that a package may have; one that is installed as editable lies apart."""
    yield Path(str(distribution.locate_file("/".join(folders))))
    try:
        # Of a name without a dot, nothing is imported.
        spec = find_spec(folders[0])
    except (ImportError, ValueError, AttributeError):
        return
    for location in (spec.submodule_search_locations if spec else None) or ():
        yield Path(location, *folders[1:])
