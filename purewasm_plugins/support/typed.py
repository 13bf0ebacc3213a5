"""The names of `typing` and `collections.abc` that annotations use, without the import of `typing`.

`typing` imports `re`, `enum`, `contextlib` and more: a fifth of the time from a new process to a
plugin's first answer. At run time nothing here computes with types. So type checkers see the names
of `typing`, and Python sees stand-ins, which `typing.get_type_hints` can evaluate.
"""

from __future__ import annotations

from _collections_abc import Callable, Iterable, Iterator, Mapping, MutableSequence, Sequence
from abc import ABCMeta

__all__ = [
    "TYPE_CHECKING",
    "Any",
    "Callable",
    "Generic",
    "Iterable",
    "Iterator",
    "Mapping",
    "MutableSequence",
    "NoReturn",
    "ParamSpec",
    "Protocol",
    "Sequence",
    "TypeVar",
    "dataclass_transform",
    "runtime_checkable",
]

#: Type checkers take a variable of this name for true.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import (
        Any,
        Generic,
        NoReturn,
        ParamSpec,
        Protocol,
        TypeVar,
        dataclass_transform,
        runtime_checkable,
    )
else:

    class Any:
        """Any object, as `typing.Any`."""

    class NoReturn:
        """No result, as `typing.NoReturn`."""

    class Generic:
        """The base of generic classes, as `typing.Generic`."""

        __slots__ = ()

        def __class_getitem__(cls, types):
            return cls

    def TypeVar(name, *_, **__):  # noqa: N802
        """Return what stands for any type, as `typing.TypeVar` does."""
        return Any

    def ParamSpec(name):  # noqa: N802
        """Return what stands for any parameters, as `typing.ParamSpec` does."""
        return ...

    class _ProtocolType(ABCMeta):
        """The metaclass of protocols: an instance has the members of one, or is of a subclass."""

        def __instancecheck__(cls, instance):
            if super().__instancecheck__(instance):
                return True
            if Protocol not in cls.__bases__:
                return False
            protocols = cls.__mro__[: cls.__mro__.index(Protocol)]
            members = {
                name
                for protocol in protocols
                for name in (*vars(protocol), *vars(protocol).get("__annotations__", ()))
            }
            return all(hasattr(instance, name) for name in members if not name.startswith("_"))

    class Protocol(metaclass=_ProtocolType):
        """The base of protocols, as `typing.Protocol`; each can be used with `isinstance`."""

    def runtime_checkable(protocol):
        """Return the protocol: every one can be checked."""
        return protocol

    def dataclass_transform(**_):
        """Return a decorator that does nothing."""
        return lambda cls: cls
