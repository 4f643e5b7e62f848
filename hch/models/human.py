"""A person plays H: sees what a copy sees, and types sub-questions and answers; no deadline."""

from __future__ import annotations

from hch.errors import UsageError
from hch.protocols import Model, Person
from hch.rates import Rate
from hch.types import Completion, Request


class HumanModel:
    """Whoever sits at the desk that hch was given; a `Model` that is free."""

    name = "human"
    endpoint = "person"
    keyed = False
    by_hand = True
    at_once: int | None = None

    def __init__(self, person: Person) -> None:
        self.rate: Rate | None = Rate()
        self._person = person

    async def complete(self, request: Request) -> Completion:
        text = await self._person.reply(request)
        return Completion(text, raw=text.encode("utf-8", "surrogatepass"))

    async def close(self) -> None:
        """Nothing to let go of."""


def build(*, person: Person | None) -> Model:
    """Takes no options. Raises UsageError where nobody can be asked."""
    if person is None:
        raise UsageError(
            "the model 'human' is a person at a terminal, and here is none: run it where stdin and "
            "stderr are a terminal (not a dumb one), or name another model"
        )
    return HumanModel(person)
