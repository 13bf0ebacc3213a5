"""What the standard library has in modules that are slow to import, such as `enum`.

The imports of `enum`, `functools` and `collections` take a tenth of the time from a new process to
a plugin's first answer. Type checkers see the originals, and what is here behaves as those do, as
far as it goes: enumerations have no flags, aliases and `auto`, and no member is an instance of
`enum.Enum`; `cache` is for functions of one argument, `once` for those without, and `lru_cache`
drops all results at a time.
"""

from __future__ import annotations

from purewasm_plugins.support.typed import TYPE_CHECKING

__all__ = ["Enum", "IntEnum", "NamedTuple", "cache", "cached_property", "lru_cache", "once"]

if TYPE_CHECKING:
    from enum import Enum, IntEnum
    from functools import cache, cached_property, lru_cache
    from typing import NamedTuple

    once = cache
else:
    from _collections import _tuplegetter

    class _Results(dict):
        """The results of a function of one argument."""

        def __init__(self, compute):
            self._compute = compute

        def __missing__(self, argument):
            result = self[argument] = self._compute(argument)
            return result

    def cache(function):
        """Return a function that computes each result once, as `functools.cache` does."""
        return _Results(function).__getitem__

    def lru_cache(maxsize):
        """Return a decorator that keeps so many results; all are dropped where there are more."""

        def decorate(function):
            results = {}

            def cached(*arguments):
                found = results.get(arguments, results)
                if found is not results:
                    return found
                if len(results) >= maxsize:
                    results.clear()
                result = results[arguments] = function(*arguments)
                return result

            return cached

        return decorate

    def once(function):
        """Return a function that computes its result at its first call."""
        results = _Results(lambda _: function())
        return lambda: results[None]

    class cached_property:  # noqa: N801
        """A property that is computed once, as `functools.cached_property` is."""

        def __init__(self, compute):
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            value = instance.__dict__[self._name] = self._compute(instance)
            return value

    class _TupleType(type):
        """The metaclass of named tuples: it takes the fields from the annotations in the body."""

        def __new__(cls, name, bases, namespace):
            fields = tuple(namespace.get("__annotations__", ()))
            if not fields:
                return super().__new__(cls, name, bases, namespace)
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            arguments = ", ".join(fields)
            # Made of text, as `collections.namedtuple` does it: a call is then as fast.
            new = eval(f"lambda cls, {arguments}: new(cls, ({arguments},))", {"new": tuple.__new__})
            new.__name__ = "__new__"
            new.__defaults__ = tuple(defaults.values())
            namespace |= {
                "__slots__": (),
                "__new__": new,
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": defaults,
                **{field: _tuplegetter(index, "") for index, field in enumerate(fields)},
            }
            return super().__new__(cls, name, bases, namespace)

    class NamedTuple(tuple, metaclass=_TupleType):
        """The base of named tuples, as `typing.NamedTuple`."""

        __slots__ = ()

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, **values):
            return type(self)(**(self._asdict() | values))

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({fields})"

        def __getnewargs__(self):
            return tuple(self)

    class _EnumType(type):
        """The metaclass of enumerations: it makes members of the values in the class body."""

        def __new__(cls, name, bases, namespace):
            values = {
                key: value
                for key, value in namespace.items()
                if not key.startswith("__") and not hasattr(value, "__get__")
            }
            for key in values:
                del namespace[key]
            made = super().__new__(cls, name, bases, namespace)
            members, by_value = {}, {}
            for key, value in values.items():
                member = int.__new__(made, value) if int in made.__mro__ else object.__new__(made)
                object.__setattr__(member, "_name_", key)
                object.__setattr__(member, "_value_", value)
                members[key] = by_value[value] = member
                type.__setattr__(made, key, member)
            if len(by_value) != len(members):
                raise ValueError(f"two members of {name} have the same value")
            type.__setattr__(made, "_members_", members)
            type.__setattr__(made, "_by_value_", by_value)
            return made

        def __call__(cls, value):
            """Return the member with a value, or the member itself."""
            try:
                return cls._by_value_[value]
            except (KeyError, TypeError):
                if isinstance(value, cls):
                    return value
                raise ValueError(f"{value!r} is not a valid {cls.__qualname__}") from None

        def __getitem__(cls, name):
            return cls._members_[name]

        def __iter__(cls):
            return iter(cls._members_.values())

        def __reversed__(cls):
            return reversed(cls._members_.values())

        def __len__(cls):
            return len(cls._members_)

        def __bool__(cls):
            return True

        def __contains__(cls, value):
            return isinstance(value, cls) or value in cls._by_value_

        @property
        def __members__(cls):
            return cls._members_.copy()

        def __setattr__(cls, name, value):
            if name in cls._members_:
                raise AttributeError(f"cannot reassign member {name!r}")
            super().__setattr__(name, value)

        def __delattr__(cls, name):
            if name in cls._members_:
                raise AttributeError(f"{cls.__name__!r} cannot delete member {name!r}.")
            super().__delattr__(name)

        def __repr__(cls):
            return f"<enum {cls.__name__!r}>"

    class Enum(metaclass=_EnumType):
        """The base of enumerations, as `enum.Enum`."""

        def __init_subclass__(cls):
            if any(getattr(base, "_members_", None) for base in cls.__mro__[1:]):
                raise TypeError(f"{cls.__name__} cannot extend an enumeration with members")

        @property
        def name(self):
            """The name of the member."""
            return self._name_

        @property
        def value(self):
            """The value of the member."""
            return self._value_

        def __repr__(self):
            return f"<{type(self).__name__}.{self._name_}: {self._value_!r}>"

        def __str__(self):
            return f"{type(self).__name__}.{self._name_}"

        def __format__(self, specification):
            return format(str(self), specification)

        def __hash__(self):
            return hash(self._name_)

        def __reduce__(self):
            return type(self), (self._value_,)

        def __copy__(self):
            return self

        def __deepcopy__(self, memo):
            return self

    class IntEnum(int, Enum):
        """The base of enumerations of numbers, as `enum.IntEnum`."""

        __repr__ = Enum.__repr__
        __str__ = int.__repr__
        __reduce__ = Enum.__reduce__
