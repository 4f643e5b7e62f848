"""What H's script is made of: the steps it takes, and the instance that they are about."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from hch.types import digest

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Instance:
    """One problem of a task: its facts as JSON-like data, and their digest, which names it."""

    facts: Any = field(compare=False)
    digest: str
    _views: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @classmethod
    def of(cls, task: str, facts: Any) -> Instance:
        """The instance of a task that has these facts."""
        return cls(facts, digest(task, facts))

    @property
    def text(self) -> str:
        """The facts as JSON."""
        return json.dumps(self.facts, separators=(",", ":"))

    def view(self, of: Callable[[Any], V]) -> V:
        """What a function makes of the facts, worked out once."""
        if of not in self._views:
            self._views[of] = of(self.facts)
        return self._views[of]  # type: ignore[no-any-return]


def named(instances: Mapping[str, Instance], digest: str | None) -> Instance | None:
    """The instance of that digest; None where there is none, or none is named."""
    return None if digest is None else instances.get(digest)


def recorded(task: str, facts: Mapping[str, str]) -> tuple[Instance, ...]:
    """Instances from their `text` by digest. Raises ValueError where they do not fit."""
    found = []
    for named, text in facts.items():
        try:
            instance = Instance.of(task, json.loads(text))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the facts of instance {named[:8]} are no JSON: {error}") from error
        if instance.digest != named:
            raise ValueError(f"instance {named[:8]} has other facts than its name says")
        found.append(instance)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Ask:
    """A step of H's script: put this term to HCH_{n-1}; `again` asks for another sample."""

    term: Any
    again: int | None = None


@dataclass(frozen=True, slots=True)
class Primitive:
    """A step of H's script: put this term to the task's oracle."""

    term: Any


Step: TypeAlias = Ask | Primitive | tuple[Ask, ...]
"""What a script yields; a tuple of asks is one round and is sent a tuple of answers."""
