"""H alone: thinks once and replies. Every other model-driven strategy is this at level 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hch.budget import Price
from hch.protocols import Strategy, Workspace


class Direct:
    """One think; its prompt shows neither level nor grant, so that equal questions are one call."""

    prompts: ClassVar[Mapping[str, frozenset[str]]] = {"direct": frozenset[str]()}
    thinks = True
    refuses_repeats = False

    async def __call__(self, workspace: Workspace) -> str:
        return await workspace.think("direct", last=True)

    def least(self, workspace: Workspace) -> Price:
        return workspace.quote("direct")

    def finish(self, workspace: Workspace, m: int) -> Price:
        return workspace.quote("direct")


def build() -> Strategy:
    """Takes no options."""
    return Direct()
