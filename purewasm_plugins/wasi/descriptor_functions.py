"""Descriptors: what is known of them, reading, writing, seeking, listing a directory."""

from __future__ import annotations

from struct import Struct

from purewasm_plugins.runtime.limits import BYTES_PER_UNIT
from purewasm_plugins.support.typed import Callable, Iterator
from purewasm_plugins.wasi.descriptors import OpenDirectory, OpenFile, OpenInput, OpenOutput
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.files import DirectoryEntry, FileStatus, FileType
from purewasm_plugins.wasi.functions import PIECE, Functions
from purewasm_plugins.wasi.layout import (
    DIRECTORY_ENTRY,
    FDSTAT,
    PRESTAT,
    FdFlags,
    Rights,
    Whence,
)

__all__ = ["DescriptorFunctions"]

#: `iovec`: an address and a size.
_IOVEC = Struct("<II")

#: Buffers of one read or write, as on Linux. More may be given: the rest is left for the next call.
_MOST_BUFFERS = 1024

#: Bytes that one call moves at most; it returns how many they were.
_MOST_BYTES = 1 << 30

#: Positions of a file are below it, as for a system's 64-bit signed offsets.
_END = 1 << 63

#: How many values `fd_advise` knows.
_ADVICES = 6


class DescriptorFunctions(Functions):
    """The functions whose names begin with `fd_`."""

    def fd_advise(self, fd: int, offset: int, size: int, advice: int) -> None:
        self.descriptors.file(fd)
        if advice >= _ADVICES or size >= _END:
            raise ErrnoError(Errno.INVAL)

    def fd_allocate(self, fd: int, offset: int, size: int) -> None:
        file = self._writable(fd, Rights.FD_ALLOCATE)
        if size == 0 or offset + size > _END:
            raise ErrnoError(Errno.INVAL if size == 0 else Errno.FBIG)
        if file.file.status().size < offset + size:
            file.file.resize(offset + size)

    def fd_close(self, fd: int) -> None:
        self.descriptors.close(fd)

    def fd_datasync(self, fd: int) -> None:
        self.fd_sync(fd)

    def fd_sync(self, fd: int) -> None:
        found = self.descriptors.get(fd)
        if isinstance(found, OpenFile):
            found.file.sync()
        elif isinstance(found, OpenDirectory):
            found.directory.sync()
        else:
            raise ErrnoError(Errno.BADF)

    def fd_fdstat_get(self, fd: int, result: int) -> None:
        found = self.descriptors.get(fd)
        flags, inheriting = 0, 0
        if isinstance(found, OpenFile):
            type, rights, flags = FileType.REGULAR_FILE, found.rights, found.flags
        elif isinstance(found, OpenDirectory):
            type, rights = FileType.DIRECTORY, Rights.DIRECTORY
            inheriting = Rights.DIRECTORY | Rights.FILE
            if found.read_only:
                rights &= ~Rights.CHANGING
                inheriting &= ~(Rights.CHANGING | Rights.WRITING)
        else:
            is_input = isinstance(found, OpenInput)
            rights = Rights.FD_READ if is_input else Rights.FD_WRITE
            type = FileType.CHARACTER_DEVICE if found.stream.is_terminal else FileType.UNKNOWN
        self.memory.write(result, FDSTAT.pack(type, flags, rights, inheriting))

    def fd_fdstat_set_flags(self, fd: int, flags: int) -> None:
        file = self.descriptors.file(fd)
        if flags & ~FdFlags.ALL or flags & FdFlags.SYNCHRONOUS:
            raise ErrnoError(Errno.INVAL)
        file.flags = flags

    def fd_fdstat_set_rights(self, fd: int, rights: int, inheriting: int) -> None:
        found = self.descriptors.get(fd)
        if not isinstance(found, OpenFile):
            raise ErrnoError(Errno.NOTSUP)
        if rights & ~found.rights:
            raise ErrnoError(Errno.NOTCAPABLE)
        found.rights = rights

    def fd_filestat_get(self, fd: int, result: int) -> None:
        found = self.descriptors.get(fd)
        if isinstance(found, OpenFile):
            status = found.file.status()
        elif isinstance(found, OpenDirectory):
            status = found.directory.status()
        else:
            kind = FileType.CHARACTER_DEVICE if found.stream.is_terminal else FileType.UNKNOWN
            status = FileStatus(0, 0, kind, 0, 0, 0, 0, 0)
        self.write_status(result, status)

    def fd_filestat_set_size(self, fd: int, size: int) -> None:
        file = self._writable(fd, Rights.FD_FILESTAT_SET_SIZE)
        if size >= _END:
            raise ErrnoError(Errno.INVAL)
        file.file.resize(size)

    def fd_filestat_set_times(self, fd: int, accessed: int, modified: int, flags: int) -> None:
        times = self.times(accessed, modified, flags)
        found = self.descriptors.get(fd)
        if not isinstance(found, (OpenFile, OpenDirectory)):
            raise ErrnoError(Errno.BADF)
        if found.read_only:
            raise ErrnoError(Errno.PERM)
        (found.file if isinstance(found, OpenFile) else found.directory).set_times(*times)

    def fd_renumber(self, fd: int, to: int) -> None:
        self.descriptors.renumber(fd, to)

    def fd_prestat_get(self, fd: int, result: int) -> None:
        path = self._preopened(fd, Errno.BADF)
        self.memory.write(result, PRESTAT.pack(0, len(path)))

    def fd_prestat_dir_name(self, fd: int, buffer: int, size: int) -> None:
        path = self._preopened(fd, Errno.NOTDIR)
        if len(path) > size:
            raise ErrnoError(Errno.NAMETOOLONG)
        self.memory.write(buffer, path)

    def _preopened(self, fd: int, otherwise: Errno) -> bytes:
        """Return the path of a directory that was granted."""
        found = self.descriptors.get(fd)
        if not isinstance(found, OpenDirectory) or found.preopened is None:
            raise ErrnoError(otherwise)
        return found.preopened

    # Reading and writing

    def fd_read(self, fd: int, buffers: int, count: int, result: int) -> None:
        # A function that is the stream may call another instance, which has another memory.
        found, memory = self.descriptors.get(fd), self.memory
        if isinstance(found, OpenFile):
            position = found.position
            size = self._read_file(found, buffers, count, position)
            found.position = position + size
        elif isinstance(found, OpenInput):
            stream, pause = found.stream, self.state.pause

            def read(size: int, done: int) -> bytes:
                # Once there is something to return, nothing is waited for.
                return b"" if done and not stream.ready(0.0) else stream.read(size, pause)

            size = self._scatter(buffers, count, read)
        else:
            raise ErrnoError(Errno.BADF)
        memory.write_u32(result, size)

    def fd_pread(self, fd: int, buffers: int, count: int, offset: int, result: int) -> None:
        found = self.descriptors.get(fd)
        if not isinstance(found, OpenFile):
            is_input = isinstance(found, OpenInput)
            raise ErrnoError(Errno.SPIPE if is_input else Errno.BADF)
        self.memory.write_u32(result, self._read_file(found, buffers, count, offset))

    def _read_file(self, found: OpenFile, buffers: int, count: int, offset: int) -> int:
        if offset >= _END:
            raise ErrnoError(Errno.INVAL)
        if not found.rights & Rights.FD_READ:
            raise ErrnoError(Errno.BADF)
        read = found.file.read
        return self._scatter(buffers, count, lambda size, done: read(offset + done, size))

    def fd_write(self, fd: int, buffers: int, count: int, result: int) -> None:
        # A function that is the stream may call another instance, which has another memory.
        found, memory = self.descriptors.get(fd), self.memory
        if isinstance(found, OpenOutput):
            write = found.stream.write
            size = self._gather(buffers, count, lambda data, _: write(data))
        elif isinstance(found, OpenFile):
            position = found.position
            size = self._write_file(found, buffers, count, position)
            appended = found.flags & FdFlags.APPEND
            found.position = found.file.status().size if appended else position + size
        else:
            raise ErrnoError(Errno.BADF)
        memory.write_u32(result, size)

    def fd_pwrite(self, fd: int, buffers: int, count: int, offset: int, result: int) -> None:
        found = self.descriptors.get(fd)
        if not isinstance(found, OpenFile):
            is_output = isinstance(found, OpenOutput)
            raise ErrnoError(Errno.SPIPE if is_output else Errno.BADF)
        self.memory.write_u32(result, self._write_file(found, buffers, count, offset))

    def _write_file(self, found: OpenFile, buffers: int, count: int, offset: int) -> int:
        # As on Linux, `fd_pwrite` appends to such a file, too.
        appends = found.flags & FdFlags.APPEND
        if offset >= _END and not appends:
            raise ErrnoError(Errno.INVAL)
        if not found.rights & Rights.FD_WRITE:
            raise ErrnoError(Errno.BADF)
        file = found.file
        if appends:
            return self._gather(buffers, count, lambda data, _: file.append(data))
        return self._gather(buffers, count, lambda data, done: file.write(offset + done, data))

    def _scatter(self, buffers: int, count: int, read: Callable[[int, int], bytes]) -> int:
        """Fill buffers.

        Args:
            buffers, count: the array of them.
            read: returns up to so many bytes, and takes how many were read before.

        Returns:
            How many bytes were read; fewer than there is room for where `read` returned fewer.
        """
        done = 0
        memory = self.memory
        for address, size in self._buffers(buffers, count):
            if not size:
                continue
            memory.view(address, size)
            for start, end in self.pieces(min(size, _MOST_BYTES - done)):
                data = read(end - start, done)
                memory.write(address + start, data)
                done += len(data)
                if len(data) < end - start:
                    return done
        return done

    def _gather(self, buffers: int, count: int, write: Callable[[bytes, int], int]) -> int:
        """Write buffers.

        Args:
            buffers, count: the array of them.
            write: writes bytes and returns how many; it takes how many were written before.

        Returns:
            How many bytes were written.

        Raises:
            ErrnoError: nothing could be written.
        """
        done = 0
        memory = self.memory
        try:
            for address, size in self._buffers(buffers, count):
                if not size:
                    continue
                if size > PIECE:
                    memory.view(address, size)
                for start, end in self.pieces(min(size, _MOST_BYTES - done)):
                    written = write(memory.read(address + start, end - start), done)
                    done += written
                    if written < end - start:
                        return done
        except (ErrnoError, OSError):
            # What was written before is reported now, and the error by the next call.
            if not done:
                raise
        return done

    def _buffers(self, address: int, count: int) -> Iterator[tuple[int, int]]:
        """Return the address and the size of each buffer of an array."""
        if count > _MOST_BUFFERS:
            self.memory.view(address, count * _IOVEC.size)
            count = _MOST_BUFFERS
        return _IOVEC.iter_unpack(self.memory.read(address, count * _IOVEC.size))

    def fd_seek(self, fd: int, offset: int, whence: int, result: int) -> None:
        file = self._seekable(fd)
        try:
            origin = self.layout.whence[whence]
        except KeyError:
            raise ErrnoError(Errno.INVAL) from None
        if offset >= _END:
            offset -= 1 << 64
        if origin == Whence.CUR:
            offset += file.position
        elif origin == Whence.END:
            offset += file.file.status().size
        if not 0 <= offset < _END:
            raise ErrnoError(Errno.INVAL)
        file.position = offset
        self.memory.write_u64(result, offset)

    def fd_tell(self, fd: int, result: int) -> None:
        self.memory.write_u64(result, self._seekable(fd).position)

    def _seekable(self, fd: int) -> OpenFile:
        found = self.descriptors.get(fd)
        if isinstance(found, (OpenInput, OpenOutput)):
            raise ErrnoError(Errno.SPIPE)
        return self.descriptors.file(fd)

    def _writable(self, fd: int, right: int) -> OpenFile:
        """Return a file that may be changed in a way."""
        file = self.descriptors.file(fd)
        if file.read_only:
            raise ErrnoError(Errno.PERM)
        if not file.rights & right:
            raise ErrnoError(Errno.INVAL if file.rights & Rights.FD_READ else Errno.BADF)
        return file

    # Listing a directory

    def fd_readdir(self, fd: int, buffer: int, size: int, cookie: int, result: int) -> None:
        found = self.descriptors.directory(fd)
        self.memory.view(buffer, size)
        self.memory.view(result, 4)
        listing = found.listing
        if cookie == 0 or listing is None:
            listing = self._listing(found)
            self.descriptors.keep_listing(found, listing)
        data = bytearray()
        for index in range(min(cookie, len(listing)), len(listing)):
            if len(data) >= size:
                break
            name, inode, type = listing[index]
            text = name.encode()
            data += DIRECTORY_ENTRY.pack(index + 1, inode & (1 << 64) - 1, len(text), type)
            data += text
        self.state.spend(len(data) // BYTES_PER_UNIT)
        # An entry that does not fit is cut off: a full buffer tells that there are more.
        del data[size:]
        self.memory.write(buffer, data)
        self.memory.write_u32(result, len(data))

    def _listing(self, found: OpenDirectory) -> list[DirectoryEntry]:
        quota = self.state.wasi.quotas.directory_entries
        inode = found.directory.status().inode
        try:
            entries = found.directory.entries(1 << 63 if quota is None else quota)
        except ErrnoError as error:
            if error.errno == Errno.NOMEM:
                self.state.note_listing()
            raise
        own = [DirectoryEntry(name, inode, FileType.DIRECTORY) for name in (".", "..")]
        return own + entries
