"""What a reply takes where nobody counts tokens."""

from __future__ import annotations

from hch.types import Request, Usage


def usage_of(request: Request, text: str) -> Usage:
    """One token for every four characters, rounded up, and at least one each way."""
    characters = sum(len(part.body) for message in request.messages for part in message.parts)
    return Usage(max(1, -(-characters // 4)), max(1, -(-len(text) // 4)))
