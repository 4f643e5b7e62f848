"""Training rows: what a tree teaches, whatever the file that it is written into.

    answer       the question, as `direct` is asked it, and its amplified answer: what X learns
    decision     the prompt that a copy saw, byte for byte, and its reply to it: what H' learns
    preference   a question and two answers, of which a vote, a check or a label chose one
    step         a question and the steps to its answer, each told to be right or wrong
    soft         a question and the shares of the votes for each answer, or the log-probabilities
                 of each token of a reply
    prompt-only  the question alone, as `direct` is asked it

H' and X are those of Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

Kind: TypeAlias = Literal["answer", "decision", "preference", "step", "soft", "prompt-only"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Turn(NamedTuple):
    """A message of a prompt, as it is sent, of the `system`, the `user` or the `assistant`."""

    role: str
    content: str


class Step(NamedTuple):
    """A step of a solution, and whether it is right; `score` is its rating, if it has one."""

    text: str
    good: bool
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a reply's tokens were drawn from: for each of T positions the same k alternatives.

    `ids[T][k]` are token numbers of the tokenizer with that hash, `logprobs[T][k]` natural
    log-probabilities, the most likely first. `temperature` is that of the draw, None where the
    server's own. `drawn` are the T tokens of the reply itself, none where they are not all known.
    """

    ids: tuple[tuple[int, ...], ...]
    logprobs: tuple[tuple[float, ...], ...]
    tokenizer: str
    temperature: float | None = None
    drawn: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row is from: the node `node` (its id, and its `key`) of a run.

    `root` is the number of the root whose tree it is in, `source` the sha256 of that root's
    question. `prompt` names the prompt that was or would be sent, `prompt_hash` is the sha256 of
    its file's text; `thought` is the number of the think, for a decision. `model` is what replied,
    None where none did, `revision` what it says of its version, if anything.
    """

    run: str
    root: int
    source: str
    node: str
    key: str
    parent: str | None
    level: int
    player: str
    model: str | None = None
    revision: str | None = None
    prompt: str | None = None
    prompt_hash: str | None = None
    task: str | None = None
    instance: str | None = None
    thought: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One training row; which fields have a meaning, its kind says.

    `completion` is the answer or the reply, of a preference what was chosen over `rejected`.
    `thinking` is what the model thought before it, kept apart. `good` is whether the completion is
    right, where somebody told, and `by` who: `vote`, `check`, `truth`, a person. `shares` are the
    answers of a vote with the share of each, which sum to 1. `weight` is how much the row counts.
    A prompt has at least one message, and numbers are finite.
    """

    kind: Kind
    prompt: tuple[Turn, ...]
    origin: Origin
    completion: str = ""
    thinking: str = ""
    rejected: str = ""
    good: bool | None = None
    by: str = ""
    steps: tuple[Step, ...] = ()
    shares: tuple[tuple[str, float], ...] = ()
    tokens: Tokens | None = None
    weight: float = 1.0

    @property
    def question(self) -> str:
        """The last message of the prompt: what is asked."""
        return self.prompt[-1].content
