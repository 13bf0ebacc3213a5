"""The tree of a `MemoryDirectory`: its nodes, their names, and what they use up.

Error numbers are those of Linux, and so is which of several comes first.
"""

from __future__ import annotations

from _thread import RLock
from _weakref import ref
from itertools import count

from purewasm_plugins.errors import GrantError, InvalidOptionError
from purewasm_plugins.runtime.limits import BYTES_PER_UNIT, pieces
from purewasm_plugins.runtime.memory import NO_ROOM
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Iterator, NoReturn
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.files import FileStatus, FileType, Quota

__all__ = [
    "DirectoryNode",
    "FileNode",
    "LinkNode",
    "Node",
    "SymbolicLink",
    "Tree",
    "fail",
    "refused",
    "shown",
    "unreadable",
    "unusable",
]

#: The most bytes of a name in UTF-8, as on Linux.
LONGEST_NAME = 255

#: The most bytes of a file, whatever the quotas are: all of them are in memory.
LARGEST_FILE = 1 << 32

#: The most characters of all paths that are read back. A module that nests thousands of directories
#: could otherwise make as many paths of megabytes.
LONGEST_PATHS = 64 * 1024 * 1024

#: The numbers of the file systems of this process, which tell their inodes apart.
_DEVICES = count(1)


def fail(errno: Errno) -> NoReturn:
    """End a function of WASI with an error number."""
    raise ErrnoError(errno)


class SymbolicLink(Record):
    """A symbolic link in the content of a `MemoryDirectory`.

    Attributes:
        target: the path that it leads to, from the directory that the link is in.

    Raises:
        InvalidOptionError: the target is no text, is empty, or holds U+0000 or a lone surrogate.
    """

    target: str

    def __post_init__(self) -> None:
        if not isinstance(self.target, str):
            given = type(self.target).__name__
            raise refused(f"the target of a symbolic link must be a str, and is a {given}")
        why = unusable(self.target)
        if why is not None:
            raise refused(f"the target of a symbolic link {why}: {shown(self.target)}")


class Node:
    """What all files have, directories and symbolic links as well."""

    __slots__ = ("__weakref__", "accessed", "changed", "inode", "links", "modified")

    type: FileType

    def __init__(self, inode: int, now: int) -> None:
        self.inode = inode
        self.links = 0
        self.accessed = self.modified = self.changed = now

    @property
    def size(self) -> int:
        """The bytes that count."""
        return 0

    def content(self) -> bytes | SymbolicLink:
        """Return the value that stands for it in a mapping."""
        return b""

    def status(self, device: int) -> FileStatus:
        """Return what a module is told."""
        return FileStatus(
            device,
            self.inode,
            self.type,
            self.links,
            self.size,
            self.accessed,
            self.modified,
            self.changed,
        )

    def note_change(self, now: int) -> None:
        """Set the times of a change of the content."""
        self.modified = self.changed = now

    def set_times(self, accessed: int | None, modified: int | None, now: int) -> None:
        """Set the times; None leaves one as it is."""
        self.accessed = self.accessed if accessed is None else accessed
        self.modified = self.modified if modified is None else modified
        self.changed = now


class FileNode(Node):
    """A regular file.

    Its bytes are `bytes` as long as nothing is written: so they can be those that a mapping has, or
    that were read back, without a copy for each name.
    """

    __slots__ = ("data",)

    type = FileType.REGULAR_FILE

    def __init__(self, inode: int, now: int, data: bytes = b"") -> None:
        super().__init__(inode, now)
        self.data: bytes | bytearray = data

    @property
    def size(self) -> int:
        """See `Node`."""
        return len(self.data)

    def content(self) -> bytes:
        """See `Node`."""
        self.data = data = bytes(self.data)
        return data


class LinkNode(Node):
    """A symbolic link."""

    __slots__ = ("target",)

    type = FileType.SYMBOLIC_LINK

    def __init__(self, inode: int, now: int, target: str) -> None:
        super().__init__(inode, now)
        self.target = target

    @property
    def size(self) -> int:
        """See `Node`."""
        return len(self.target.encode())

    def content(self) -> SymbolicLink:
        """See `Node`."""
        return SymbolicLink(self.target)


class DirectoryNode(Node):
    """A directory. It has no links left once it was removed; handles may outlast that.

    Its parent is a weak reference, so that a tree is freed at once, not by the garbage collector.
    """

    __slots__ = ("entries", "parent")

    type = FileType.DIRECTORY

    def __init__(self, inode: int, now: int) -> None:
        super().__init__(inode, now)
        self.links = 2
        self.entries: dict[str, Node] = {}
        self.parent: ref[DirectoryNode] | None = None

    def find(self, name: str) -> Node | None:
        """Return an entry, or None.

        Raises:
            ErrnoError: NOENT if the directory was removed, NAMETOOLONG.
        """
        node = self.entries.get(name)
        if node is None:
            if not self.links:
                fail(Errno.NOENT)
            if _is_long(name):
                fail(Errno.NAMETOOLONG)
        return node

    def get(self, name: str) -> Node:
        """Return an entry; NOENT where there is none, and as `find`."""
        node = self.find(name)
        if node is None:
            fail(Errno.NOENT)
        return node

    def check_free(self, name: str) -> None:
        """Refuse a name that is taken with EXIST, and as `find`."""
        if self.find(name) is not None:
            fail(Errno.EXIST)

    def holds(self, other: DirectoryNode) -> bool:
        """Return whether a directory is this one, or is somewhere in it."""
        node: DirectoryNode | None = other
        while node is not None and node is not self:
            node = None if node.parent is None else node.parent()
        return node is self


class Tree:
    """The nodes of one `MemoryDirectory`, and what they use up.

    Attributes:
        lock: is held while anything of it is read or changed.
        device: the number of the file system.
        root: its directory.
        names: how many entries all directories have.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.device = next(_DEVICES)
        self._inodes = count(1)
        self.root = DirectoryNode(self.number(), 0)
        self.names = 0
        self._size = 0
        #: Files that were removed. Those that no handle holds open are freed.
        self._removed: list[ref[FileNode]] = []

    @property
    def size(self) -> int:
        """The bytes of all files and links: of a file that was removed, as long as it is open."""
        if not self._removed:
            return self._size
        removed = [reference() for reference in self._removed]
        return self._size + sum([node.size for node in removed if node is not None])

    def __del__(self) -> None:
        """Free the directories one by one.

        Each would free those in it, as deep as a module has nested them: Pyodide has no such stack.
        """
        pending = [self.root]
        while pending:
            entries = pending.pop().entries
            pending += [node for node in entries.values() if isinstance(node, DirectoryNode)]
            entries.clear()

    def number(self) -> int:
        """Return the number of a new node; none is given twice."""
        return next(self._inodes)

    # Reading from and to a mapping.

    def make(self, path: object, value: object) -> Node:
        """Return a new node for a value in a mapping."""
        if isinstance(path, str) and path[-1:] == "/":
            if value != b"":
                raise refused(f"{shown(path)} is a directory, and its value is not b''")
            return DirectoryNode(self.number(), 0)
        if isinstance(value, bytes):
            # A subclass could do anything when it is used.
            return FileNode(self.number(), 0, bytes(value))
        if isinstance(value, str):
            return FileNode(self.number(), 0, _encoded(path, value))
        if isinstance(value, SymbolicLink):
            return LinkNode(self.number(), 0, value.target)
        given = type(value).__name__
        what = "bytes, a str or a SymbolicLink"
        raise refused(f"the value of {shown(path)} must be {what}, and is a {given}")

    def add(self, path: object, node: Node) -> None:
        """Put a node at a path, with the directories above it, or one more name of it."""
        *above, last = _components(path)
        parent = self.root
        for name in above:
            entry = parent.entries.get(name)
            if entry is None:
                entry = DirectoryNode(self.number(), 0)
                self.attach(parent, name, entry)
            if not isinstance(entry, DirectoryNode):
                raise refused(f"{name!r} in {shown(path)} is a file and a directory at once")
            parent = entry
        entry = parent.entries.get(last)
        if entry is None:
            self.attach(parent, last, node)
        elif not (isinstance(entry, DirectoryNode) and isinstance(node, DirectoryNode)):
            one = isinstance(entry, DirectoryNode) or isinstance(node, DirectoryNode)
            why = "is a file and a directory at once" if one else "is there twice"
            raise refused(f"{shown(path)} {why}")

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Yield each file, link and empty directory with its path."""
        pending = [("", iter(self.root.entries.items()))]
        length = 0
        while pending:
            prefix, entries = pending[-1]
            for name, node in entries:
                length += len(prefix) + len(name)
                if length > LONGEST_PATHS:
                    raise unreadable("is nested so deeply that its paths have more than 64 MiB")
                path = prefix + name
                if not isinstance(node, DirectoryNode):
                    yield path, node
                elif not node.entries:
                    yield path + "/", node
                else:
                    pending.append((path + "/", iter(node.entries.items())))
                    break
            else:
                pending.pop()

    # Changes. All is checked before.

    def attach(self, parent: DirectoryNode, name: str, node: Node) -> None:
        """Make an entry, in a directory that has none of that name."""
        parent.entries[name] = node
        self.names += 1
        if isinstance(node, DirectoryNode):
            node.parent = ref(parent)
            parent.links += 1
            return
        node.links += 1
        if node.links == 1:
            self._size += node.size

    def detach(self, parent: DirectoryNode, name: str) -> Node:
        """Take an entry out of a directory; it may have been attached to another."""
        node = parent.entries.pop(name)
        self.names -= 1
        if isinstance(node, DirectoryNode):
            parent.links -= 1
            return node
        node.links -= 1
        if not node.links:
            self._size -= node.size
        return node

    def remove(self, parent: DirectoryNode, name: str, now: int) -> None:
        """Remove an entry."""
        node = self.detach(parent, name)
        node.changed = now
        if isinstance(node, DirectoryNode):
            node.links = 0
        elif isinstance(node, FileNode) and not node.links:
            self._removed = [one for one in self._removed if one() is not None]
            self._removed.append(ref(node))

    def write(self, file: FileNode, offset: int, data: bytes, quota: Quota) -> None:
        """Put bytes at an offset of a file; what lies between is zero.

        Raises:
            ErrnoError: FBIG, NOSPC.
        """
        before = len(file.data)
        end = offset + len(data)
        content = self._changeable(file, max(before, end), quota)
        try:
            if offset < before:
                content[offset:end] = data
            else:
                for start, stop in pieces(offset - before, BYTES_PER_UNIT, quota.spend):
                    content.extend(bytes(stop - start))
                content += data
        except BaseException as error:
            del content[before:]
            if isinstance(error, NO_ROOM):
                fail(Errno.NOSPC)
            raise
        finally:
            self._count(file, len(content) - before)

    def resize(self, file: FileNode, size: int, quota: Quota) -> None:
        """Cut a file off or extend it by zeros.

        Raises:
            ErrnoError: FBIG, NOSPC.
        """
        before = len(file.data)
        if size >= before:
            self.write(file, size, b"", quota)
            return
        content = self._changeable(file, size, quota)
        del content[size:]
        self._count(file, size - before)

    def _count(self, file: FileNode, change: int) -> None:
        """Count the bytes that a file has more than before."""
        if file.links:
            self._size += change

    def _changeable(self, file: FileNode, size: int, quota: Quota) -> bytearray:
        """Return the bytes of a file that will have a size, if there is room for so many.

        Of `bytes` that it had, it keeps a copy, and no more than that size: it may have shared them
        with others, so that there must be room for all.
        """
        data = file.data
        before = len(data)
        if size > before:
            if size > LARGEST_FILE:
                fail(Errno.FBIG)
            quota.check_file_size(size)
        if isinstance(data, bytearray):
            if size > before:
                quota.check_total_size(self.size + size - before)
            return data
        if size:
            quota.check_total_size(self.size + size - before)
        try:
            file.data = changeable = bytearray(data[:size])
        except MemoryError:
            fail(Errno.NOSPC)
        return changeable


def _is_long(name: str) -> bool:
    # A character takes at most four bytes.
    return len(name) * 4 > LONGEST_NAME and len(name.encode()) > LONGEST_NAME


# What a mapping or a zip holds.


def _components(path: object) -> list[str]:
    """Return the names in a path of a mapping, all of which a module can use."""
    if not isinstance(path, str):
        raise refused(f"a path must be a str, and is a {type(path).__name__}")
    why = unusable(path)
    if why is None and path[0] == "/":
        why = "is absolute"
    if why is not None:
        raise refused(f"the path {shown(path)} {why}")
    names = path.removesuffix("/").split("/")
    for name in names:
        if name in ("", ".", ".."):
            what = "an empty component" if not name else f"the component '{name}'"
            raise refused(f"the path {shown(path)} has {what}")
        if _is_long(name):
            raise refused(f"the path {shown(path)} has a name of more than {LONGEST_NAME} bytes")
    return names


def unusable(text: str) -> str | None:
    """Return what makes a text unusable as a path of a module; None if nothing does."""
    if not text:
        return "is empty"
    if "\0" in text:
        return "holds U+0000"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds a lone surrogate"
    return None


def _encoded(path: object, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise refused(f"the text of {shown(path)} holds a lone surrogate") from None


def shown(path: object) -> str:
    """Return a path for a message: not all of one that is very long."""
    text = path if isinstance(path, str) else str(type(path).__name__)
    return repr(text) if len(text) <= 100 else f"{text[:100]!r}..."


def refused(details: str) -> InvalidOptionError:
    """Return the error for content that no directory can have."""
    return InvalidOptionError("directories", details)


def unreadable(details: str) -> GrantError:
    """Return the error for a directory that cannot be read back."""
    return GrantError("in memory", details)
