"""The one grammar of a typed reply, and the one of a finishing text.

A typed reply is, with white space between:

    [ <think> anything </think> ]  [ ```json ]  one JSON object  [ ``` ]

Nothing before, nothing after, nothing guessed and nothing patched up. The object must fit the
reply type: unknown, missing and repeated fields are faults, strings are strings, numbers are
finite. A finishing text is taken as it is, less the same optional reasoning block; one whose first
line is `CANNOT ANSWER: reason` says that its author cannot tell. A reasoning block that never ends
leaves no text at all.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo

from hch.errors import NodeError
from hch.types import Answer, Form, Question, Text

_REASONING = re.compile(r"\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)
_CANNOT = re.compile(r"\s*CANNOT ANSWER\b[:. \t]*([^\n]*)")


class Reply(BaseModel):
    """The base of every typed reply: frozen, nothing unknown or infinite, nothing converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


T = TypeVar("T", bound=Reply)


def _known_texts(numbers: list[int], info: ValidationInfo) -> list[int]:
    texts = (info.context or {}).get("texts", 0)
    for n in numbers:
        if not 1 <= n <= texts:
            raise ValueError(
                f"there is no text {n}: texts are numbered from 1 to {texts}"
                if texts
                else "there are no texts to send along: leave it empty"
            )
    return numbers


class SubQuestion(Reply):
    """A question to put to a copy, and which of the texts go along; none named means all."""

    question: str
    texts: Annotated[list[int], AfterValidator(_known_texts)] = []

    def asked_with(self, context: Sequence[Text]) -> Question:
        chosen = tuple(context[n - 1] for n in dict.fromkeys(self.texts)) or tuple(context)
        return Question(Text(self.question, "model"), chosen)


class ReplyProblem(ValueError):
    """What is wrong with a reply, in words for whoever wrote it."""


def parse(text: str, returns: type[T], *, texts: int = 0) -> T:
    """Read a typed reply; `texts` is how many context texts it may name by number.

    Raises ReplyProblem where it is outside the grammar or does not fit.
    """
    body = without_reasoning(text).strip()
    if fenced := _FENCED.fullmatch(body):
        body = fenced[1].strip()
    if not body:
        raise ReplyProblem("the reply was empty; it must be one JSON object")
    if not body.startswith("{"):
        raise ReplyProblem("the reply must be one JSON object and nothing else")
    try:
        reply = returns.model_validate_json(body.encode(), context={"texts": texts})
    except UnicodeEncodeError:
        raise ReplyProblem("the reply has characters that are no Unicode text") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ReplyProblem(f"{place + ': ' if place else ''}{first['msg']}"[:400]) from None
    json.loads(body, object_pairs_hook=_once_each)  # pydantic takes the last of equal keys
    return reply


def _once_each(pairs: list[tuple[str, object]]) -> None:
    if repeated := [key for key, n in Counter(key for key, _ in pairs).items() if n > 1]:
        raise ReplyProblem(f"the field {repeated[0]!r} is there more than once"[:400])


def without_reasoning(text: str) -> str:
    """The text after its leading `<think>` block, if it has one."""
    block = _REASONING.match(text)
    return text[block.end() :] if block else text


def cannot(text: str) -> str | None:
    """The reason of a finishing text that says its author cannot answer; None for any other."""
    match = _CANNOT.match(text)
    return match and (match[1].strip() or "no reason given")


def ended(result: Answer | Text | str | NodeError) -> Answer:
    """What a strategy returned, or raised, as an answer of its own node.

    A finishing text may say that it cannot. An answer without text is a failure, and so is what
    no node may end as.
    """
    if isinstance(result, NodeError):
        return Answer(result.status, None, str(result))
    if isinstance(result, Answer):
        return _own(result)
    text = Text(result, "model") if isinstance(result, str) else result
    reason = cannot(text.body)
    return _own(Answer("answered", text)) if reason is None else Answer("unanswered", None, reason)


def _own(answer: Answer) -> Answer:
    if answer.status == "refused":
        answer = replace(answer, status="unanswered", reason=f"refused: {answer.reason}")
    elif answer.status == "cancelled":
        answer = replace(answer, status="failed")
    elif answer.answered and (answer.text is None or not answer.text.body.strip()):
        answer = replace(answer, status="failed", reason="the reply was empty")
    return answer if answer.answered else replace(answer, text=None)


@lru_cache(maxsize=256)
def form(returns: type[Reply], texts: int = 0) -> Form:
    """The form of a reply type, as a JSON schema without titles and prose.

    Every property is required, `texts` may name 1 to `texts`, and is left out where there are none.
    """
    schema = _bare(returns.model_json_schema(), texts)
    return Form(returns.__name__, json.dumps(schema, separators=(",", ":")))


@lru_cache(maxsize=256)
def stated(returns: type[Reply], texts: int = 0) -> str:
    """The form in words, for a prompt."""
    schema = form(returns, texts).schema
    told = 'Its "texts" are the numbers of the texts to send along; an empty list sends all.\n'
    return (
        f"{told if texts and _TEXTS in schema else ''}"
        f"Reply with one JSON object and nothing else. It must fit this JSON schema:\n{schema}"
    )


_TEXTS = '"texts"'


def _bare(schema: dict[str, Any], texts: int) -> Any:
    """A schema with its references resolved, every property required, and `texts` as it may be."""
    defs = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return walk(defs[node["$ref"].removeprefix("#/$defs/")])
        kept = {
            k: v for k, v in node.items() if k not in ("title", "description", "$defs", "default")
        }
        if "properties" not in kept:
            return {key: walk(value) for key, value in kept.items()}
        properties = {name: walk(value) for name, value in kept["properties"].items()}
        if "texts" in properties:
            properties["texts"] = {
                "type": "array",
                "items": {"type": "integer", "enum": [*range(1, texts + 1)]},
            }
        if not texts:
            properties.pop("texts", None)
        return {**kept, "properties": properties, "required": [*properties]}

    return walk(schema)
