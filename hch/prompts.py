"""Prompt files to messages: one pass of `$name` over a file, never over what was filled in.

A file has sections, each under a line `--- system ---` or `--- user ---`. Its placeholders are
`ALWAYS` and those that its strategy names: exactly these, or PromptError before anything is sent.
A placeholder that stands alone on its line and has nothing to show takes its line, and a blank
one after it, with it.

Text of children and documents stands between marks made from its own hash. No text can contain
its own hash, so none can end its own block; equal text gives equal bytes, so prefix caches work.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from string import Template as Grammar

from hch.errors import PromptError, UsageError
from hch.redaction import Redaction
from hch.types import Exchange, Message, Part, Question, Text

ALWAYS = frozenset({"question", "context", "manual"})
REPAIR = "repair"
REPAIR_PLACEHOLDERS = frozenset({"problem", "reply", "form"})

Parts = tuple[Part, ...]

_SECTION = re.compile(r"^--- (system|user) ---[ \t]*\n", re.MULTILINE)
_ROLES = re.compile(
    r"<(?=[|｜]|/?s>|[be]os>|/?(?:start|end)_of_turn>|/?(?:system|user|assistant|human)>"
    r"|</?(?:text|SYS))"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
    r"|^(?=(?:#+ *)?(?:Human|Assistant|System|User|Instruction|Response):)",
    re.MULTILINE | re.IGNORECASE,
)
_HINT = re.compile(r"[<\[:]")
"""What every role marker has, and few texts do."""

SHOWN_IN_VAIN = 8
"""How many refusals, and how many repeats, a prompt shows one by one."""

HEAD = 200
"""How many characters of a refused question, or of a reason, a prompt shows."""

FRAME = 96
"""The most tokens of the words and marks round one question and its answer."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder: the name of what is filled in there, and whether it has a line of its own."""

    name: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file: its name, its exact text, and the stretches of each of its messages."""

    name: str
    text: str
    messages: tuple[tuple[str, tuple[Part | Slot, ...]], ...]

    @classmethod
    def read(cls, read: Callable[[str], str], name: str, wanted: frozenset[str]) -> Prompt:
        """The prompt of that name. Raises PromptError, naming its file, where it cannot be used."""
        text = read(name)
        file = read.file(name) if isinstance(read, Files) else None
        return cls.parse(name, text, wanted, file)

    @classmethod
    def parse(
        cls, name: str, text: str, wanted: frozenset[str], file: Path | None = None
    ) -> Prompt:
        """Raises PromptError where the placeholders are not exactly those wanted."""
        where = f"{file}: prompt {name!r}" if file else f"prompt {name!r}"
        head, *sections = _SECTION.split(text)
        if not sections or head.strip():
            raise PromptError(f"{where}: it must begin with --- system --- or --- user ---")
        if sections[::2] not in (["system"], ["user"], ["system", "user"]):
            raise PromptError(f"{where}: it may have one system section, then one user one")
        pairs = zip(sections[::2], sections[1::2], strict=True)
        messages = tuple((role, tuple(_pieces(where, body.strip("\n")))) for role, body in pairs)
        found = {
            piece.name for _, pieces in messages for piece in pieces if isinstance(piece, Slot)
        }
        unknown = sorted(found - wanted)
        for one in unknown:
            if near := get_close_matches(one, wanted, 1):
                raise PromptError(
                    f"{where} has ${one}, which nothing fills: did you mean ${near[0]}?"
                )
        if missing := wanted - found:
            raise PromptError(f"{where} lacks {_listed(missing)}: put it into the file")
        if unknown:
            listed, known = _listed(unknown), _listed(wanted)
            raise PromptError(f"{where} has {listed}, which nothing fills; it may have {known}")
        return cls(name, text, messages)

    def fill(self, values: Mapping[str, Parts]) -> tuple[Message, ...]:
        """The messages with every placeholder's parts put in; what is put in is not read again."""
        messages: list[Message] = []
        for role, pieces in self.messages:
            parts = tuple(_filled(pieces, values))
            if any(part.body.strip() for part in parts):
                messages.append(Message(role, parts))  # type: ignore[arg-type]
        return tuple(messages)


class PromptSet:
    """The prompts of a run by name; `read` gives the exact text of each."""

    def __init__(self, read: Callable[[str], str], wanted: Mapping[str, frozenset[str]]) -> None:
        self._prompts = {
            name: Prompt.read(read, name, more | ALWAYS) for name, more in sorted(wanted.items())
        }
        self.repair = Prompt.read(read, REPAIR, REPAIR_PLACEHOLDERS)

    def __getitem__(self, name: str) -> Prompt:
        if name not in self._prompts:
            raise PromptError(f"no strategy of this run has named the prompt {name!r}")
        return self._prompts[name]

    def texts(self) -> dict[str, str]:
        """Every prompt's exact text by name, the one for repairs included."""
        return {prompt.name: prompt.text for prompt in (*self._prompts.values(), self.repair)}


@dataclass(frozen=True, slots=True)
class Files:
    """Reads a prompt by its name from the first of these folders that has it, without keys."""

    folders: tuple[Path, ...]
    redaction: Redaction

    def file(self, name: str) -> Path | None:
        """Where its text is read from; None where no folder has it."""
        paths = (folder / f"{name}.md" for folder in self.folders)
        return next((path for path in paths if os.path.lexists(path)), None)

    def __call__(self, name: str) -> str:
        """Raises PromptError where there is none, or it is no text, or no regular file."""
        path = self.file(name)
        if path is None:
            raise PromptError(f"no prompt {name!r} in {', '.join(map(str, self.folders))}")
        try:
            if path.exists() and not path.is_file():
                raise PromptError(f"{path}: it is not a regular file")
            text = path.read_text("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise PromptError(f"{path}: it is not text in UTF-8") from error
        except OSError as error:
            raise PromptError(f"{path}: it cannot be read: {error.strerror}") from error
        return self.redaction.text(text)


def reader(folders: Sequence[Path], redaction: Redaction | None = None) -> Files:
    return Files(tuple(folders), redaction or Redaction())


def shipped() -> Path:
    """The folder of hch's own prompts: the checkout's, or the wheel's."""
    package = Path(__file__).parent
    wheel = package / "_prompts"
    return wheel if wheel.is_dir() else package.parent / "prompts"


def folder(name: str | Path) -> Path:
    """A prompts folder of that name. Raises UsageError where there is none, or none can be."""
    try:
        there = Path(name).is_dir()
    except (OSError, ValueError):  # too long, or with a character that no name has
        there = False
    if not there:
        raise UsageError(f"the prompts folder {name} is no folder")
    return Path(name)


def marked(text: Text, origin: str) -> Parts:
    """A text as data, between marks made from its own hash."""
    return (
        Part(f"<<text {text.mark}>>\n", "mark"),
        Part(neutral(text.body), origin),
        Part(f"\n<</text {text.mark}>>", "mark"),
    )


def neutral(body: str) -> str:
    """A body in which no role marker of a chat template and no mark of ours is left whole."""
    encodable = body.encode("utf-8", "replace").decode()
    if not _HINT.search(encodable):
        return encodable
    return _ROLES.sub(lambda match: f"{match[0]}\u00b7", encodable)


def question_parts(question: Question) -> Parts:
    return (Part(neutral(question.text.body), "question"),)


def context_parts(question: Question) -> Parts:
    """The texts sent along, numbered from 1 as the typed replies name them."""
    return tuple(
        part
        for i, text in enumerate(question.context, 1)
        for part in (Part(f"{'' if i == 1 else chr(10)}Text {i}:\n"), *marked(text, f"context {i}"))
    )


def own_parts(question: Question, manual: Text | None) -> dict[str, Parts]:
    """What fills the placeholders of `ALWAYS`: all that a prompt such as `direct` shows."""
    return {
        "question": question_parts(question),
        "context": context_parts(question),
        "manual": (Part(manual.body, "manual"),) if manual else (),
    }


def exchange_parts(exchanges: Sequence[Exchange]) -> Parts:
    """What was asked and what came back, an answer once; of many refusals and repeats a few.

    However many questions were asked in vain, the rest is only counted.
    """
    parts: list[Part] = []
    first: dict[Question, int] = {}
    more: Counter[str] = Counter()
    repeats = refusals = 0
    for i, exchange in enumerate(exchanges, 1):
        if exchange.answer.status == "refused":
            refusals += 1
            if refusals > SHOWN_IN_VAIN:
                more[f"were refused: {_told(exchange.answer.reason)}"] += 1
                continue
        elif exchange.question in first:
            repeats += 1
            if repeats > SHOWN_IN_VAIN:
                more["repeated an earlier one"] += 1
            else:
                earlier = first[exchange.question]
                parts.append(Part(f"\n\nSub-question {i} was the same as sub-question {earlier}."))
            continue
        else:
            first[exchange.question] = i
        parts += _exchange(i, exchange)
    for what, n in more.most_common(SHOWN_IN_VAIN):
        parts.append(Part(f"\n\n{n} more questions {what}", "refusals"))
    return tuple(parts)


def _exchange(i: int, exchange: Exchange) -> Iterable[Part]:
    answer = exchange.answer
    shown = HEAD if answer.status == "refused" else None
    asked = " ".join(neutral(exchange.question.text.body[:shown]).split())
    yield Part(f"{chr(10) * 2 * (i > 1)}Sub-question {i}: ")
    yield Part(asked, f"sub-question {i}")
    if answer.text is not None and answer.answered:
        yield Part("\nAnswer:\n", f"status {i}")
        yield from marked(answer.text, f"answer {i}")
    else:
        yield Part(f"\nNo answer ({answer.status}): ", f"status {i}")
        yield Part(_told(answer.reason), f"reason {i}")


def _told(reason: str) -> str:
    return " ".join(neutral(reason[:HEAD]).split())


def _filled(pieces: Sequence[Part | Slot], values: Mapping[str, Parts]) -> list[Part]:
    """The parts of one message, an empty placeholder's line and the blank one after it left out."""
    parts: list[Part] = []
    dropped = False
    for piece in pieces:
        if isinstance(piece, Slot):
            filling = values[piece.name]
            dropped = piece.alone and not filling
            parts += filling
            continue
        body = piece.body.removeprefix("\n").removeprefix("\n") if dropped else piece.body
        dropped = False
        if body:
            parts.append(piece if body is piece.body else Part(body))
    return parts


def _pieces(where: str, body: str) -> Iterable[Part | Slot]:
    at = 0
    for match in Grammar.pattern.finditer(body):
        found = match["named"] or match["braced"]
        if match["invalid"] is not None:
            raise PromptError(f"{where}: a lone $ in {body[match.start() :][:20]!r}; write $$")
        if literal := body[at : match.start()] + ("$" if found is None else ""):
            yield Part(literal)
        at = match.end()
        if found is not None:
            before = body[: match.start()].rpartition("\n")[2]
            alone = not before and body[at : at + 1] in ("\n", "")
            yield Slot(found, alone)
    if rest := body[at:]:
        yield Part(rest)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"${name}" for name in sorted(names))
