"""Every error that hch raises on purpose, and what each one ends.

    HchError
    ├── NodeError                ends one node, as the status it carries; the asker is told
    │   ├── GrantExhausted       truncated   the node's grant cannot pay for what it wants
    │   ├── LengthError          truncated   a length limit came before any text
    │   ├── ReplyError           failed      a reply outside the grammar, also when asked again
    │   ├── RefusalError         unanswered  the model or a content filter refused
    │   └── ModelError           failed      a call was given up
    │       └── TransientModelError          worth another attempt; only `Retrying` sees it
    ├── UsageError               exit 2      flags, unknown plugin or option, unreadable input
    ├── BillExhausted            exit 3      the run's cap cannot pay for another attempt
    ├── StoreError               exit 5      the store cannot be read or written
    ├── ConfigError              exit 6      keys, configuration, a missing extra
    │   ├── PromptError          exit 6      a prompt file lacks a placeholder or has an unknown one
    │   └── DeadEndpoint         exit 6      an endpoint answers nobody
    └── ReplayDivergence         exit 7      a replayed run asked for something not on record

A `NodeError` is data: the engine closes the node with it and goes on. Every other one, and every
bug, ends the run as itself. To add an error, give it a place in this tree, and a status or an
exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from hch.types import RateLimits


class HchError(Exception):
    """The root of the tree. `exit_code` is what the command line exits with."""

    exit_code: ClassVar[int] = 1


class NodeError(HchError):
    """Ends the node in which it is raised, with `status`; never the run. `kind` is one word."""

    status: ClassVar[Literal["unanswered", "truncated", "failed"]] = "failed"
    kind: str = "error"

    def again(self) -> NodeError:
        """The same failure for one more asker; an exception object is raised once only."""
        return type(self)(str(self))


class GrantExhausted(NodeError):
    """The node's grant cannot pay for what its strategy wants to do next."""

    status = "truncated"


class LengthError(NodeError):
    """A prompt too long for the model, or a reply cut short of the limit that was asked for.

    `usage` is as that of a `ModelError`, where the call was run and has to be paid.
    """

    status = "truncated"
    kind = "length"

    def __init__(self, message: str, *, usage: tuple[int, ...] | None = None) -> None:
        super().__init__(message)
        self.usage = usage


class ReplyError(NodeError):
    """A reply was outside the grammar of `hch.replies`, and asking again did not help."""


class RefusalError(NodeError):
    """The model declined, or a content filter stopped it."""

    status = "unanswered"
    kind = "refusal"


class ModelError(NodeError):
    """A call failed. `ran` says whether the provider may have charged for it.

    `kind` is one word for the fault (`timeout`, `http 400`, `bad body`); `retry_after` is in
    seconds, where the provider named a time; `usage` is (input, output, cached, reasoning,
    cache_write) tokens, where a reply that was no good still told them; `limits` is what the
    endpoint said is left.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "error",
        ran: bool = True,
        retry_after: float | None = None,
        usage: tuple[int, ...] | None = None,
        limits: RateLimits | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.ran = ran
        self.retry_after = retry_after
        self.usage = usage
        self.limits = limits

    def again(self) -> ModelError:
        return ModelError(str(self), kind=self.kind, ran=self.ran)


class TransientModelError(ModelError):
    """A fault that another attempt may cure."""


class UsageError(HchError):
    """What was asked for cannot be understood: a flag, a name, an option, a file."""

    exit_code = 2


class BillExhausted(HchError):
    """The run's cap cannot pay the worst case of another attempt; the run can be resumed."""

    exit_code = 3


class StoreError(HchError):
    """The store cannot be opened, read or written, or a run in it is in use."""

    exit_code = 5


class ConfigError(HchError):
    """A key, the configuration or an extra is missing or wrong."""

    exit_code = 6


class PromptError(ConfigError):
    """A prompt file is missing, lacks a placeholder, or names an unknown one."""


class DeadEndpoint(ConfigError):
    """An endpoint gave up call after call; the run stops and can be resumed."""


class ReplayDivergence(HchError):
    """A replayed run does something else than its record, at the node of this id.

    `recorded` and `now` are what each did there, in lines; empty where it did nothing.
    """

    exit_code = 7

    def __init__(self, message: str, *, node: str = "", recorded: str = "", now: str = "") -> None:
        super().__init__(message)
        self.node = node
        self.recorded = recorded
        self.now = now
