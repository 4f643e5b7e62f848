"""What checks did: what they accepted and rejected, and what that did to the accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hch.evals.grading import Grades
from hch.evals.share import NONE, Share
from hch.judging import CHECKING, Said, verdict
from hch.nodes import Node


@dataclass(frozen=True, slots=True)
class Checks:
    """The answers that were checked, by what the check said and whether they are right.

    None for right is where nobody can tell. Over so many `nodes` with a check, `before` are the
    first tries checked that are right, of those that can be graded; `after` the same of the answers
    that stand at last; `unanswered` is how many nodes have none, all being rejected.
    """

    nodes: int = 0
    said: Mapping[tuple[Said, bool | None], int] = field(default_factory=dict)
    before: Share = NONE
    after: Share = NONE
    unanswered: int = 0

    @classmethod
    def of(cls, nodes: Iterable[Node], grades: Grades) -> Checks:
        """Of the nodes among these that have something checked, each once."""
        said: Counter[tuple[Said, bool | None]] = Counter()
        before, after, unanswered = list[bool | None](), list[bool | None](), 0
        for node in nodes:
            pairs = [(grades.right(tried), said_) for tried, said_ in checked(node)]
            if not pairs:
                continue
            said.update((what, right) for right, what in pairs)
            before.append(pairs[0][0])
            after.append(grades.right(node))
            unanswered += node.status != "answered"
        return cls(len(before), dict(said), _share(before), _share(after), unanswered)

    @property
    def rejected(self) -> int:
        return sum(n for (said, _), n in self.said.items() if said == "reject")

    @property
    def changed_nothing(self) -> bool:
        """Whether it rejected nothing, so that every answer is one that would stand without it."""
        return self.rejected == 0

    @property
    def predicted(self) -> float | None:
        """What `after` is by Bayes' rule, were all tries as often right as the first ones.

        That is P(right | it stands), with the rates at which right and wrong tries are not
        rejected; None where these are not known.
        """
        p = self.before.share
        if p is None:
            return None
        stands = [self._stands(right=right) for right in (True, False)]
        parts = [weight * (share or 0.0) for weight, share in zip((p, 1 - p), stands, strict=True)]
        unknown = any(w and s is None for w, s in zip((p, 1 - p), stands, strict=True))
        return None if unknown or not sum(parts) else parts[0] / sum(parts)

    def _stands(self, *, right: bool) -> float | None:
        of = sum(n for (_, graded), n in self.said.items() if graded is right)
        return 1 - self.said.get(("reject", right), 0) / of if of else None


def checked(node: Node) -> Iterator[tuple[Node, Said]]:
    """The tries that a node had checked, in order, and what the check said of each."""
    tried: Node | None = None
    for ask in node.asks:
        if ask.how == "try":
            tried = ask.node
        elif ask.how == "put" and ask.question == CHECKING and tried:
            answer = ask.node and ask.node.answer
            yield tried, verdict(answer).said if answer else "unsure"


def _share(grades: Iterable[bool | None]) -> Share:
    known = [right for right in grades if right is not None]
    return Share(sum(known), len(known))
