"""Paths: opening, linking, renaming, removing, and what is known of files by their paths."""

from __future__ import annotations

from purewasm_plugins.wasi.descriptors import OpenDirectory, OpenFile
from purewasm_plugins.wasi.errno import Errno, ErrnoError, errno_of
from purewasm_plugins.wasi.files import FileStatus, FileType
from purewasm_plugins.wasi.functions import Functions
from purewasm_plugins.wasi.layout import FdFlags, LookupFlags, OpenFlags, Rights
from purewasm_plugins.wasi.paths import Place, resolve

__all__ = ["PathFunctions"]

#: Bytes of a path without a quota: its components take fifty times as much.
_LONGEST = 1 << 20


class PathFunctions(Functions):
    """The functions whose names begin with `path_`."""

    def path_create_directory(self, fd: int, path: int, size: int) -> None:
        found = self.descriptors.directory(fd)
        text = self._text(path, size)
        self._check_changeable(found)
        with self._place(found, _without_slash(text)) as place:
            if place.name is None:
                raise ErrnoError(Errno.EXIST)
            place.directory.make_directory(place.name)

    def path_filestat_get(self, fd: int, flags: int, path: int, size: int, result: int) -> None:
        found = self.descriptors.directory(fd)
        follow = _follows(flags)
        with self._place(found, self._text(path, size), follow) as place:
            status = _status(place)
        self.write_status(result, status)

    def path_filestat_set_times(
        self, fd: int, flags: int, path: int, size: int, accessed: int, modified: int, which: int
    ) -> None:
        times = self.times(accessed, modified, which)
        with self._changing(fd, path, size, _follows(flags)) as place:
            if place.name is None:
                place.directory.set_times(*times)
            else:
                if place.is_directory:
                    _status(place)
                place.directory.set_times_of(place.name, *times)

    def path_link(
        self, fd: int, flags: int, path: int, size: int, to: int, new_path: int, new_size: int
    ) -> None:
        source, target = self.descriptors.directory(fd), self.descriptors.directory(to)
        old_text, new_text = self._text(path, size), self._text(new_path, new_size)
        self._check_pair(source, target)
        if _follows(flags):
            raise ErrnoError(Errno.INVAL)
        with self._place(source, old_text) as old:
            if old.is_directory:
                _status(old)
            with self._place(target, new_text) as new:
                if new.is_directory:
                    _status(new)
                _status(old)
                if new.name is None or new.is_directory:
                    raise ErrnoError(Errno.EXIST)
                if old.name is None:
                    raise ErrnoError(_exists_or(new, Errno.PERM))
                old.directory.link(old.name, new.directory, new.name)

    def path_open(
        self,
        fd: int,
        lookup: int,
        path: int,
        size: int,
        opening: int,
        rights: int,
        inheriting: int,
        flags: int,
        result: int,
    ) -> None:
        text = self._text(path, size)
        found = self.descriptors.directory(fd, or_file=Errno.NOTDIR)
        _check_opening(found, opening, rights, flags)
        self.descriptors.check_room()
        self.memory.view(result, 4)
        exclusive = OpenFlags.CREAT | OpenFlags.EXCL
        follow = _follows(lookup) and opening & exclusive != exclusive
        # No file can be made at such a path; as on Linux, a link at its end is not followed.
        ends_with_slash = bool(opening & OpenFlags.CREAT) and text.endswith("/")
        if ends_with_slash:
            text, follow = _without_slash(text), False
        with self._place(found, text, follow) as place:
            if ends_with_slash and place.name is not None:
                raise ErrnoError(Errno.ISDIR)
            opened = _open(found, place, opening, rights & Rights.FILE, flags)
        self.memory.write_u32(result, self.descriptors.add(opened))

    def path_readlink(
        self, fd: int, path: int, size: int, buffer: int, room: int, result: int
    ) -> None:
        found = self.descriptors.directory(fd)
        self.memory.view(buffer, room)
        with self._place(found, self._text(path, size)) as place:
            directory, name = place.entry()
            if place.is_directory:
                _status(place)
            target = directory.read_link(name)
        if target.startswith("/"):
            # It is a path of the host.
            raise ErrnoError(Errno.PERM)
        try:
            data = target.encode()[:room]
        except UnicodeEncodeError:
            raise ErrnoError(Errno.ILSEQ) from None
        self.memory.write(buffer, data)
        self.memory.write_u32(result, len(data))

    def path_remove_directory(self, fd: int, path: int, size: int) -> None:
        with self._changing(fd, path, size) as place:
            directory, name = place.entry()
            directory.remove_directory(name)

    def path_rename(
        self, fd: int, path: int, size: int, to: int, new_path: int, new_size: int
    ) -> None:
        source, target = self.descriptors.directory(fd), self.descriptors.directory(to)
        old_text, new_text = self._text(path, size), self._text(new_path, new_size)
        self._check_pair(source, target)
        with (
            self._place(source, _without_slash(old_text)) as old,
            self._place(target, _without_slash(new_text)) as new,
        ):
            if old.name is None or new.name is None:
                raise ErrnoError(Errno.BUSY)
            if old_text.endswith("/") or new_text.endswith("/"):
                status = old.directory.status_of(old.name)
                if status.type is not FileType.DIRECTORY:
                    errno = _exists_or(new, Errno.NOTDIR)
                    raise ErrnoError(Errno.NOTDIR if errno is Errno.EXIST else errno)
            old.directory.rename(old.name, new.directory, new.name)

    def path_symlink(self, target: int, target_size: int, fd: int, path: int, size: int) -> None:
        found = self.descriptors.directory(fd)
        text, own_text = self._text(target, target_size), self._text(path, size)
        self._check_changeable(found)
        if text.startswith("/"):
            raise ErrnoError(Errno.PERM)
        with self._place(found, own_text) as place:
            if place.is_directory:
                _status(place)
            if not text or "\0" in text:
                raise ErrnoError(Errno.INVAL if text else Errno.NOENT)
            if place.name is None or place.is_directory:
                raise ErrnoError(Errno.EXIST)
            place.directory.make_symbolic_link(place.name, text)

    def path_unlink_file(self, fd: int, path: int, size: int) -> None:
        with self._changing(fd, path, size) as place:
            if place.name is None:
                raise ErrnoError(Errno.ISDIR)
            if place.is_directory:
                status = place.directory.status_of(place.name)
                is_directory = status.type is FileType.DIRECTORY
                raise ErrnoError(Errno.ISDIR if is_directory else Errno.NOTDIR)
            place.directory.remove_file(place.name)

    def _changing(self, fd: int, path: int, size: int, follow: bool = False) -> Place:
        """Return the end of a path at which something is changed."""
        found = self.descriptors.directory(fd)
        text = self._text(path, size)
        self._check_changeable(found)
        return self._place(found, text, follow)

    def _place(self, found: OpenDirectory, path: str, follow: bool = False) -> Place:
        return resolve(found.directory, path, follow=follow, spend=self.state.spend)

    def _text(self, address: int, size: int) -> str:
        """Return a path, or the target of a link."""
        if size > _LONGEST or not self.state.wasi.quotas.allows("path_bytes", size):
            self.memory.view(address, size)
            raise ErrnoError(Errno.NAMETOOLONG)
        try:
            return self.memory.read(address, size).decode()
        except UnicodeDecodeError:
            raise ErrnoError(Errno.ILSEQ) from None

    def _check_changeable(self, *found: OpenDirectory) -> None:
        if any(one.read_only for one in found):
            raise ErrnoError(Errno.PERM)

    def _check_pair(self, source: OpenDirectory, target: OpenDirectory) -> None:
        """Refuse what would carry a file into, or out of, a directory that is read only."""
        self._check_changeable(source, target)
        if source.grant is not target.grant:
            raise ErrnoError(Errno.XDEV)


def _follows(flags: int) -> bool:
    """Return whether the flags of a path say that a symbolic link at its end is followed."""
    if flags & ~LookupFlags.ALL:
        raise ErrnoError(Errno.INVAL)
    return bool(flags & LookupFlags.SYMLINK_FOLLOW)


def _without_slash(path: str) -> str:
    """Return the path of what is made or moved: its end is no link that "/" has followed."""
    return path.rstrip("/") or path


def _status(place: Place) -> FileStatus:
    """Return the status of what a path leads to: NOTDIR for a file where a directory is meant."""
    if place.name is None:
        return place.directory.status()
    status = place.directory.status_of(place.name)
    if place.is_directory and status.type is not FileType.DIRECTORY:
        raise ErrnoError(Errno.NOTDIR)
    return status


def _check_directory(place: Place) -> None:
    """Tell why something is no directory: NOENT, LOOP for a symbolic link, or NOTDIR."""
    type = _status(place).type
    if type is FileType.SYMBOLIC_LINK:
        raise ErrnoError(Errno.LOOP)
    if type is not FileType.DIRECTORY:
        raise ErrnoError(Errno.NOTDIR)


def _exists_or(place: Place, otherwise: Errno) -> Errno:
    """Return EXIST where there is something at a place, else another number."""
    try:
        _status(place)
    except (ErrnoError, OSError) as error:
        errno = error.errno if isinstance(error, ErrnoError) else errno_of(error)
        return otherwise if errno is Errno.NOENT else errno
    return Errno.EXIST


def _check_opening(found: OpenDirectory, opening: int, rights: int, flags: int) -> None:
    """Refuse flags that there are not, or not together, and to change what is read only."""
    if opening & ~OpenFlags.ALL or flags & ~FdFlags.ALL:
        raise ErrnoError(Errno.INVAL)
    if flags & FdFlags.SYNCHRONOUS:
        raise ErrnoError(Errno.NOTSUP)
    if opening & OpenFlags.DIRECTORY and opening & ~OpenFlags.DIRECTORY:
        raise ErrnoError(Errno.INVAL)
    changes = opening & (OpenFlags.CREAT | OpenFlags.TRUNC) or rights & Rights.WRITING
    if found.read_only and changes:
        raise ErrnoError(Errno.PERM)


def _open(
    found: OpenDirectory, place: Place, opening: int, rights: int, flags: int
) -> OpenFile | OpenDirectory:
    """Open what a path leads to, as one thing: nothing is looked at before it is opened."""
    create, truncate = bool(opening & OpenFlags.CREAT), bool(opening & OpenFlags.TRUNC)
    exclusive = create and bool(opening & OpenFlags.EXCL)
    changes = create or truncate or bool(rights & Rights.WRITING)
    if place.is_directory or opening & OpenFlags.DIRECTORY:
        if exclusive and place.name is None:
            raise ErrnoError(Errno.EXIST)
        if create:
            raise ErrnoError(Errno.ISDIR)
        if changes:
            _check_directory(place)
            raise ErrnoError(Errno.ISDIR)
        try:
            return _open_directory(found, place)
        except (ErrnoError, OSError):
            _check_directory(place)
            raise
    directory, name = place.entry()
    try:
        file = directory.open_file(
            name,
            read=bool(rights & Rights.FD_READ) or not changes,
            write=bool(rights & Rights.WRITING) or truncate,
            create=create,
            exclusive=exclusive,
            truncate=truncate,
        )
    except ErrnoError as error:
        if error.errno is not Errno.ISDIR or changes:
            raise
        return _open_directory(found, place)
    return OpenFile(file, rights, flags, found.read_only)


def _open_directory(found: OpenDirectory, place: Place) -> OpenDirectory:
    if place.name is None:
        opened = place.directory.duplicate()
    else:
        opened = place.directory.open_directory(place.name)
    return OpenDirectory(opened, found.read_only, found.grant)
