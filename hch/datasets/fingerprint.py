"""What stands for a run in a manifest: a hash of what its tree said, and one of its labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from hch.events import CallFinished, NodeClosed
from hch.keeping import Store
from hch.labels import Label, latest
from hch.outline import Outline

TOGETHER = 2_000
"""The nodes that are read at once."""


class RunHash:
    """The hash of a run, made node by node in id order.

    It is over each node's key, which stands for its question and who plays, its status, what it
    said, and the replies to what it thought, in the order of thinking. Times, prices and attempts
    are not in it.
    """

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=32)
        self._replied: set[str] = set()

    def add(self, key: str, status: str, said: str) -> None:
        """Add the next node: `said` is its answer, or the reason why there is none."""
        self._take("node", key, status, said)

    def replied(self, request: str, text: str, thinking: str = "") -> None:
        """Add a reply to what the node thought that was added last; one known already is left."""
        if request not in self._replied:
            self._replied.add(request)
            self._take("reply", request, text, thinking)

    def known(self, request: str) -> bool:
        """Whether the reply to a request is in it already."""
        return request in self._replied

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def _take(self, *texts: str) -> None:
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
        sizes = " ".join(str(len(part)) for part in parts)
        self._hash.update(b"%b\n%b" % (sizes.encode("ascii"), b"".join(parts)))


def run_hash(store: Store, run: str) -> str:
    """The hash of a run as it is kept now. Raises StoreError where there is none, or it is damaged.

    Reads each node's end and its replies, some nodes at a time.
    """
    outline, made = store.outline(run), RunHash()
    keys: Sequence[str] = json.loads(outline.keys)
    for first in range(0, outline.n, TOGETHER):
        nodes = range(first, min(first + TOGETHER, outline.n))
        ends, replies = _read(store, run, outline, nodes)
        for node in nodes:
            end = ends.get(outline.closed[node])
            said = "" if end is None else end.answer.body if end.answer else end.reason
            made.add(keys[node], outline.state(node), said)
            for seq in _calls(outline, node):
                if (reply := replies.get(seq)) is not None:
                    made.replied(reply.request, reply.text, reply.thinking)
    return made.hexdigest()


def _calls(outline: Outline, node: int) -> list[int]:
    """The numbers of the events of the calls of a node's thinks, in the order of thinking."""
    requests = [request for _, request in outline.steps(node) if request]
    return [seq for request in requests for seq in outline.events_of(request)]


def _read(
    store: Store, run: str, outline: Outline, nodes: range
) -> tuple[dict[int, NodeClosed], dict[int, CallFinished]]:
    """The ends of these nodes and the replies to them, by the numbers of their events."""
    numbers = {outline.closed[node] for node in nodes} - {0}
    numbers.update(seq for node in nodes for seq in _calls(outline, node))
    ends: dict[int, NodeClosed] = {}
    replies: dict[int, CallFinished] = {}
    for record in store.picked(run, numbers):
        if isinstance(record.event, NodeClosed):
            ends[record.seq] = record.event
        elif isinstance(record.event, CallFinished):
            replies[record.seq] = record.event
    return ends, replies


def labels_hash(labels: Iterable[Label]) -> str:
    """The hash of what holds of a run's nodes: the last word of each who said something."""
    made = blake2b(digest_size=32)
    last = (label for label in latest(labels).values() if not label.blank)
    said = (json.dumps(label.model_dump(exclude={"at"}), sort_keys=True) for label in last)
    for line in sorted(said):
        made.update(line.encode("ascii") + b"\n")
    return made.hexdigest()
