"""Answers from a table that the store keeps, such as `hch iterate` makes: one look, no thinking.

`table:NAME` is the text `table/NAME` of the store's shelf. The model's own name always says which
table of that name it is, by the first 12 digits of its sha256, and so does the record of a run: a
run that was started with another is not gone on with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from hch.models._usage import usage_of
from hch.protocols import Model
from hch.rates import Rate
from hch.tables import DIGITS, UNKNOWN, Table, found, spec_of
from hch.types import Completion, Request


class TableModel:
    """A table that is asked one question at a time; a `Model` that is free."""

    endpoint = "table"
    keyed = False
    by_hand = False
    at_once: int | None = None

    def __init__(self, name: str, table: Table) -> None:
        self.name = spec_of(name, table)
        self.rate: Rate | None = Rate()
        self._table = table

    async def complete(self, request: Request) -> Completion:
        """What the table says to the request's question, whatever else is in the request."""
        found = self._table.find(request.instance, request.question, request.seed)
        text = UNKNOWN if found is None else found
        raw = text.encode("utf-8", "surrogatepass")
        return Completion(text, usage=usage_of(request, text), raw=raw)

    async def close(self) -> None:
        """Nothing to let go of."""


def build(
    arg: str,
    *,
    shelf: Callable[[str], str | None],
    sha: Annotated[str, Field(pattern=f"^[0-9a-f]{{{DIGITS}}}$")] | None = None,
) -> Model:
    """The table of that name; `sha` says which. Raises ConfigError."""
    return TableModel(arg, found(arg, shelf, sha))
