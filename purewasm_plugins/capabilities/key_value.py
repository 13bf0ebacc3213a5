"""A key-value store for plugins: texts by key, in memory or in a file of SQLite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from threading import Lock
from time import sleep
from typing import TypeVar

from purewasm_plugins.capabilities.answers import PIECE, CallTime, Refused
from purewasm_plugins.capabilities.config import is_text
from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.runtime.imports import Caller
from purewasm_plugins.runtime.limits import Operation

__all__ = ["KeyValueClient", "KeyValueStore"]

_Result = TypeVar("_Result")

_TABLE = """
    CREATE TABLE IF NOT EXISTS purewasm_values (
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (namespace, key)
    )"""

#: Seconds that one operation may wait for other programs that use the file.
_PATIENCE = 10.0


class KeyValueStore:
    """The grant of a store of texts by key.

        store = KeyValueStore("plugins.db", namespace="weather")
        plugin = WasmPlugin.load("weather.wasm", kv=store)

    Each operation is a transaction: when it has returned, what it has written to a file is there
    for every program, even if this one is killed. Several programs may use a file at the same
    time. A store can be pickled, as its path and its limits: one in memory begins empty there.

    Attributes:
        path: the file, which is made where there is none; None for a store in memory, which lives
            as long as this object.
        namespace: what keeps the keys of a plugin apart from those of others; None for the
            SHA-256 of the plugin's bytes, so that another version of it begins without keys.
        keys: how many keys a namespace may have.
        key_bytes, value_bytes: bytes of a key and of a value.
        operations: how many operations one call of a plugin may make.

    Hazards:
        Plugins that get one namespace read and change each other's values. What a plugin calls
        itself is not used for that, because another could take its name.

    Raises:
        InvalidOptionError: the file cannot be used, or an argument has a wrong type or value.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        namespace: str | None = None,
        keys: int = 1000,
        key_bytes: int = 256,
        value_bytes: int = 64 * 1024,
        operations: int = 1000,
    ) -> None:
        self.path = path
        self.namespace = namespace
        self.keys, self.key_bytes = keys, key_bytes
        self.value_bytes, self.operations = value_bytes, operations
        if path is not None and not isinstance(path, str | os.PathLike):
            raise InvalidOptionError("kv", "the path must be one of a file, or None")
        if namespace is not None and (not is_text(namespace) or not namespace):
            raise InvalidOptionError("kv", f"{namespace!r} is no namespace")
        for name in ("keys", "key_bytes", "value_bytes", "operations"):
            given = getattr(self, name)
            if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given < 1 << 31:
                raise InvalidOptionError("kv", f"{name} must be an int from 0 on: {given!r}")
        # A relative path begins in the working directory of now, also in another process.
        self._place = None if path is None else os.path.abspath(path)
        try:
            self._open()
        except (sqlite3.Error, ValueError) as error:
            details = f"the file '{path}' cannot be used: {error}"
            raise InvalidOptionError("kv", details) from None

    def _open(self) -> None:
        self._process = os.getpid()
        self._lock = Lock()
        place = ":memory:" if self._place is None else self._place
        # The lock makes it safe in several threads.
        self._database = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
        self._database.execute(_TABLE)
        # What waits for other programs is `run`, which heeds the time of the call.
        self._database.execute("PRAGMA busy_timeout = 0")

    def close(self) -> None:
        """Close the file; each later operation is refused."""
        self._database.close()

    def run(self, time: CallTime, act: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Do something in one transaction.

        Args:
            time: of the operation.
            act: given the database.

        Raises:
            Refused: the database cannot be used, or the time of the operation is over.
            DeadlineExceeded, Cancelled: that of the call is, or the call was cancelled.
        """
        if self._process != os.getpid():
            self._renew()
        while True:
            time.check()
            if self._lock.acquire(timeout=PIECE):
                try:
                    return self._transaction(act)
                except sqlite3.Error as error:
                    if not _is_busy(error):
                        reason = getattr(error, "sqlite_errorname", type(error).__name__)
                        raise Refused(f"the store cannot be used: {reason}") from None
                finally:
                    self._lock.release()
                sleep(PIECE)

    def _transaction(self, act: Callable[[sqlite3.Connection], _Result]) -> _Result:
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            found = act(database)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        return found

    def _renew(self) -> None:
        """Make what a forked process may use: its parent's connection to a file is none of it."""
        if self.path is None:
            self._process, self._lock = os.getpid(), Lock()
            return
        try:
            self._open()
        except sqlite3.Error:
            raise Refused("the store cannot be used") from None

    def __reduce__(self) -> tuple[object, ...]:
        limits = (self.keys, self.key_bytes, self.value_bytes, self.operations)
        return _store, (self._place, self.namespace, *limits)

    def __repr__(self) -> str:
        where = "in memory" if self.path is None else f"in '{os.fspath(self.path)}'"
        return f"<KeyValueStore {where}>"


def _store(
    path: str | None,
    namespace: str | None,
    keys: int,
    key_bytes: int,
    value_bytes: int,
    operations: int,
) -> KeyValueStore:
    """Make a store that was pickled."""
    return KeyValueStore(
        path,
        namespace=namespace,
        keys=keys,
        key_bytes=key_bytes,
        value_bytes=value_bytes,
        operations=operations,
    )


def _is_busy(error: sqlite3.Error) -> bool:
    """Return whether another program uses the file."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class KeyValueClient:
    """The operations of one plugin in its namespace."""

    def __init__(self, store: KeyValueStore, namespace: str) -> None:
        """Take a store.

        Args:
            store: the store.
            namespace: of the plugin, where the store has none.
        """
        self._store = store
        self._namespace = store.namespace or namespace
        self._operation: Operation | None = None
        self._count = 0

    def get(self, caller: Caller, key: str) -> str | None:
        """Return the value of a key, or None.

        Raises:
            Refused: the operation is not allowed, or the store cannot be used.
        """
        self._check_key(key)
        # A value that another program has put there may be anything.
        query = """
            SELECT CASE WHEN length(CAST(value AS BLOB)) <= ? THEN value END
            FROM purewasm_values WHERE namespace = ? AND key = ?"""
        values = (self._store.value_bytes, self._namespace, key)
        row = self._run(caller, lambda database: database.execute(query, values).fetchone())
        if row is not None and not is_text(row[0]):
            raise Refused("the value is too long, or no text")
        return None if row is None else row[0]

    def set(self, caller: Caller, key: str, value: str) -> None:
        """Set the value of a key.

        Raises:
            Refused: as for `get`; or the value is too long, or there are too many keys.
        """
        self._check_key(key)
        store, namespace = self._store, self._namespace
        if len(value.encode()) > store.value_bytes:
            raise Refused(f"the value has more than {store.value_bytes} bytes")

        def act(database: sqlite3.Connection) -> None:
            database.execute(
                "INSERT INTO purewasm_values VALUES (?, ?, ?)"
                " ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value",
                (namespace, key, value),
            )
            query = "SELECT count(*) FROM purewasm_values WHERE namespace = ?"
            if database.execute(query, (namespace,)).fetchone()[0] > store.keys:
                raise Refused(f"there are {store.keys} keys, and no more may be made")

        self._run(caller, act)

    def delete(self, caller: Caller, key: str) -> None:
        """Remove a key, if it is there.

        Raises:
            Refused: as for `get`.
        """
        self._check_key(key)
        query = "DELETE FROM purewasm_values WHERE namespace = ? AND key = ?"
        self._run(caller, lambda database: database.execute(query, (self._namespace, key)))

    def list(self, caller: Caller, prefix: str) -> str:
        """Return the keys with a prefix, sorted, a line for each.

        Raises:
            Refused: as for `get`.
        """
        query = """
            SELECT key FROM purewasm_values WHERE namespace = ? AND substr(key, 1, ?) = ?
            ORDER BY key LIMIT ?"""
        values = (self._namespace, len(prefix), prefix, self._store.keys)
        rows = self._run(caller, lambda database: database.execute(query, values).fetchall())
        return "\n".join([key for (key,) in rows if self._is_key(key)])

    def _run(self, caller: Caller, act: Callable[[sqlite3.Connection], _Result]) -> _Result:
        operation = caller.instance.budget.operation
        if operation is None or operation is not self._operation:
            self._operation, self._count = operation, 0
        self._count += 1
        if self._count > self._store.operations:
            raise Refused(f"one call may use the store {self._store.operations} times")
        return self._store.run(CallTime(caller, _PATIENCE), act)

    def _check_key(self, key: str) -> None:
        if not self._is_key(key):
            most = self._store.key_bytes
            raise Refused(f"a key has 1 to {most} bytes and no control characters")

    def _is_key(self, key: object) -> bool:
        if not isinstance(key, str) or not is_text(key):
            return False
        plain = not any(ord(letter) < 32 or ord(letter) == 127 for letter in key)
        return plain and 0 < len(key.encode()) <= self._store.key_bytes
