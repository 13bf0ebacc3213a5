"""Frozen classes with fields, which are fast to define.

`Record` replaces `dataclasses`, which imports `inspect` and compiles six methods for each class:
that was a third of this package's import time, and a plugin's first answer waits for the import.
All records share their methods. They can be pickled, and `replace`, `fields` and `asdict` of
`dataclasses` work on them: a dataclass with the same fields is made at the first such use.
"""

from __future__ import annotations

from _operator import attrgetter

from purewasm_plugins.support.typed import TYPE_CHECKING, Any, NoReturn, dataclass_transform

if TYPE_CHECKING:
    # Pyright knows it by the import of `typing` alone.
    from typing import ClassVar

__all__ = ["Record"]


class _Borrowed:
    """An attribute of a record's class, taken from a dataclass at its first use."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: _RecordType) -> Any:
        import dataclasses
        import inspect

        body: dict[str, Any] = {
            "__annotations__": owner.__annotations__,
            "__module__": owner.__module__,
        }
        for field, value in owner._defaults.items():
            if isinstance(value, dict):
                body[field] = dataclasses.field(default_factory=value.copy)
            else:
                body[field] = value
        twin: type = dataclasses.dataclass(type(owner.__name__, (), body))
        if self._name == "__signature__":
            borrowed: object = inspect.signature(twin)
        else:
            borrowed = getattr(twin, self._name)
        setattr(owner, self._name, borrowed)
        return borrowed


@dataclass_transform(frozen_default=True)
class _RecordType(type):
    """The metaclass of records: it takes the fields from the annotations of the class body."""

    _defaults: dict[str, Any]
    _values: attrgetter[Any]
    __match_args__: tuple[str, ...]

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, slots: bool = True
    ) -> _RecordType:
        if not bases:
            return super().__new__(cls, name, bases, namespace)
        fields = tuple(namespace["__annotations__"])
        defaults = {field: namespace.pop(field) for field in fields if field in namespace}
        if slots:
            namespace["__slots__"] = fields
        namespace |= {
            "__match_args__": fields,
            "__dataclass_fields__": _Borrowed(),
            "__dataclass_params__": _Borrowed(),
            "__signature__": _Borrowed(),
            "_defaults": defaults,
            "_values": attrgetter(*fields),
        }
        return super().__new__(cls, name, bases, namespace)


class Record(metaclass=_RecordType):
    """The base of a frozen class, whose fields are written as in a dataclass.

    A default that is a dictionary is copied for each instance. `cached_property` needs an instance
    dictionary, which a class with the argument `slots=False` has.

    Example:
        >>> class Point(Record):
        ...     x: int
        ...     y: int = 0
        >>> Point(1)
        Point(x=1, y=0)
    """

    __slots__ = ()
    if TYPE_CHECKING:
        #: Type checkers then treat a record as a dataclass.
        __dataclass_fields__: ClassVar[dict[str, Any]]

    def __init__(self, *values: Any, **named: Any) -> None:
        cls = type(self)
        fields = cls.__match_args__
        if len(values) != len(fields) or named:
            given = dict(zip(fields, values, strict=False))
            if len(values) > len(fields) or given.keys() & named.keys():
                raise TypeError(f"{cls.__name__}() got too many values for its fields")
            defaults = {
                field: value.copy() if isinstance(value, dict) else value
                for field, value in cls._defaults.items()
            }
            given = defaults | given | named
            if given.keys() != set(fields):
                wrong = ", ".join(sorted(given.keys() ^ set(fields)))
                raise TypeError(f"{cls.__name__}() got wrong fields, or lacks some: {wrong}")
            values = tuple([given[field] for field in fields])
        assign = object.__setattr__
        for field, value in zip(fields, values, strict=True):
            assign(self, field, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the fields; a subclass overrides this."""

    def __repr__(self) -> str:
        fields = [f"{field}={getattr(self, field)!r}" for field in type(self).__match_args__]
        return f"{type(self).__qualname__}({', '.join(fields)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        values = type(self)._values
        return bool(values(self) == values(other))

    def __hash__(self) -> int:
        return hash(type(self)._values(self))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple([getattr(self, field) for field in type(self).__match_args__])
