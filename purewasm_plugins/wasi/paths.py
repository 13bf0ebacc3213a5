"""Paths: taken apart here and nowhere else, one component at a time, with every symbolic link.

This is one half of the jail; the other is that a `Directory` takes names only, and follows nothing.
A path begins at an open directory, its root. The walk keeps each directory that it goes through
open, and ".." goes back to the one that it came from: never to what another process has made the
parent meanwhile. Above the root, and to the root of the host, no path leads (EPERM).
"""

from __future__ import annotations

from purewasm_plugins.runtime.limits import Spend
from purewasm_plugins.support.typed import TYPE_CHECKING
from purewasm_plugins.wasi.errno import Errno, ErrnoError, errno_of
from purewasm_plugins.wasi.files import Directory

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Place", "resolve"]

#: Symbolic links in one walk; the next one is ELOOP, as on Linux.
MOST_LINKS = 40

#: Directories that one walk holds open: a process has about a thousand descriptors.
DEEPEST = 256


class Place:
    """The end of a walk: an open directory, and the name in it that the path leads to.

    It is a context manager: the directories of the walk are closed at the end of the block.

    Attributes:
        directory: the directory.
        name: the last component; None where the path leads to the directory itself, as "a/.." does.
        is_directory: whether the path ends with "/", or leads to the directory itself.
    """

    def __init__(self, opened: list[Directory], name: str | None, is_directory: bool) -> None:
        self._opened = opened
        self.directory = opened[-1]
        self.name = name
        self.is_directory = is_directory or name is None

    def entry(self) -> tuple[Directory, str]:
        """Return the directory and the name.

        Raises:
            ErrnoError: INVAL where the path leads to a directory itself, which has no name here.
        """
        if self.name is None:
            raise ErrnoError(Errno.INVAL)
        return self.directory, self.name

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self,
        type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _close(self._opened)


def resolve(root: Directory, path: str, *, follow: bool, spend: Spend | None = None) -> Place:
    """Walk along a path.

    Args:
        root: where it begins; it stays open.
        path: the path.
        follow: whether a symbolic link at its end is followed. Those before are always.
        spend: pays for each component: links can make a walk of a hundred thousand of them.

    Raises:
        ErrnoError: NOENT for an empty path, INVAL for one with U+0000, PERM for one that leads out
            of the root, LOOP for too many symbolic links, and what the directories say.
    """
    pending = _components(path)
    is_directory = False
    opened = [root]
    links = 0
    try:
        while pending:
            if spend is not None:
                spend(1)
            name = pending.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if len(opened) == 1:
                    raise ErrnoError(Errno.PERM)
                opened.pop().close()
                continue
            # What is left of "name/" is "".
            ends = not any(pending)
            is_directory = is_directory or (ends and bool(pending))
            if ends:
                target = _target(opened[-1], name) if follow or is_directory else None
                if target is None:
                    return Place(opened, name, is_directory)
            else:
                target = _enter(opened, name)
                if target is None:
                    continue
            links += 1
            if links > MOST_LINKS:
                raise ErrnoError(Errno.LOOP)
            pending += _components(target)
    except BaseException as error:
        _close(opened)
        if isinstance(error, OSError):
            raise ErrnoError(errno_of(error)) from error
        raise
    return Place(opened, None, True)


def _components(path: str) -> list[str]:
    """Return the components of a path, the last first; it is "" where the path ends with "/".

    Raises:
        ErrnoError: the path is empty or absolute, or holds U+0000.
    """
    if not path:
        raise ErrnoError(Errno.NOENT)
    if path[0] == "/":
        raise ErrnoError(Errno.PERM)
    if "\0" in path:
        raise ErrnoError(Errno.INVAL)
    components = path.split("/")
    last = components.pop()
    return [last, *(name for name in reversed(components) if name)]


def _enter(opened: list[Directory], name: str) -> str | None:
    """Open a directory of the last one, or return the target of a symbolic link there."""
    if len(opened) > DEEPEST:
        raise ErrnoError(Errno.NAMETOOLONG)
    directory = opened[-1]
    try:
        opened.append(directory.open_directory(name))
    except (ErrnoError, OSError) as error:
        # What is there now may be another entry than the one that could not be opened: then the
        # error of the first is right for a moment of the past.
        if (target := _target(directory, name)) is None:
            raise error
        return target
    return None


def _target(directory: Directory, name: str) -> str | None:
    """Return the target of a symbolic link; None for anything else, and where there is nothing."""
    try:
        return directory.read_link(name)
    except (ErrnoError, OSError):
        return None


def _close(opened: list[Directory]) -> None:
    """Close the directories of a walk but for the first, which is the descriptor's."""
    while len(opened) > 1:
        opened.pop().close()
