"""The shape of a task's arguments, read from its signature: what a message for it may carry."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Limits = tuple[float | None, float | None]
# Annotations stand as text in modules that postpone them; others than these plain ones are not checked.
PLAIN_TYPES: Mapping[Any, tuple[type, ...]] = {
    **dict.fromkeys(("str", str), (str,)),
    **dict.fromkeys(("int", int), (int,)),
    **dict.fromkeys(("float", float), (int, float)),
    **dict.fromkeys(("bool", bool), (bool,)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which arguments a task takes: those by place, the names that it needs, and the types of those that say one."""

    places: int = 0
    needed: frozenset[str] = frozenset()
    types: Mapping[str, tuple[type, ...]] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    takes_any_name: bool = True
    time_limits: Limits = (None, None)

    def takes(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Return whether the task could be called with these arguments."""
        return (
            len(args) <= self.places
            and (bool(args) or self.needed <= kwargs.keys())
            and (self.takes_any_name or kwargs.keys() <= self.known)
            and all(self._fits(name, value) for name, value in kwargs.items())
        )

    def _fits(self, name: str, value: Any) -> bool:
        types = self.types.get(name)
        return types is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool)))


def shape_of(run: Callable[..., Any], *, time_limits: Limits = (None, None)) -> Shape:
    """Return the shape of a task whose body is `run`."""
    parameters = inspect.signature(run).parameters.values()
    named = [entry for entry in parameters if entry.kind in (entry.KEYWORD_ONLY, entry.POSITIONAL_OR_KEYWORD)]
    by_place = [entry for entry in parameters if entry.kind in (entry.POSITIONAL_ONLY, entry.POSITIONAL_OR_KEYWORD)]
    return Shape(
        places=1_000 if any(entry.kind is entry.VAR_POSITIONAL for entry in parameters) else len(by_place),
        needed=frozenset(entry.name for entry in named if entry.default is entry.empty),
        types={entry.name: PLAIN_TYPES[entry.annotation] for entry in named if entry.annotation in PLAIN_TYPES},
        known=frozenset(entry.name for entry in named),
        takes_any_name=any(entry.kind is entry.VAR_KEYWORD for entry in parameters),
        time_limits=time_limits,
    )
