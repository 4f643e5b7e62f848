"""The one grammar of a typed reply, and the one of a finishing text.

A typed reply is, with white space between:

    [ <think> anything </think> ]  [ ```json ]  one JSON object  [ ``` ]

Nothing before, nothing after, nothing guessed and nothing patched up. The object must fit the
reply type: unknown and missing fields are faults, strings are strings. A finishing text is taken
as it is, less the same optional reasoning block; one whose first line is `CANNOT ANSWER: reason`
says that its author cannot tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo

from hch.types import Form, Question, Text

_REASONING = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)
_CANNOT = re.compile(r"\s*CANNOT ANSWER\b[:.\s]*([^\n]*)")


class Reply(BaseModel):
    """The base of every typed reply: frozen, nothing unknown, nothing converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


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
    texts: Annotated[list[int], AfterValidator(_known_texts)]

    def asked_with(self, context: Sequence[Text]) -> Question:
        chosen = tuple(context[n - 1] for n in self.texts) or tuple(context)
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
        return returns.model_validate_json(body.encode(), context={"texts": texts})
    except UnicodeEncodeError:
        raise ReplyProblem("the reply has characters that are no Unicode text") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ReplyProblem(f"{place + ': ' if place else ''}{first['msg']}"[:400]) from None


def without_reasoning(text: str) -> str:
    """The text after its leading `<think>` block, if it has one."""
    block = _REASONING.match(text)
    return text[block.end() :] if block else text


def cannot(text: str) -> str | None:
    """The reason of a finishing text that says its author cannot answer; None for any other."""
    match = _CANNOT.match(text)
    return match and (match[1].strip() or "no reason given")


@lru_cache(maxsize=64)
def form(returns: type[Reply]) -> Form:
    """The form of a reply type, as a JSON schema without titles and prose."""
    schema = _bare(returns.model_json_schema())
    return Form(returns.__name__, json.dumps(schema, separators=(",", ":")))


@lru_cache(maxsize=64)
def stated(returns: type[Reply]) -> str:
    """The form in words for a prompt: the schema, and an example where the type has one."""
    example = (returns.model_config.get("json_schema_extra") or {}).get("example")  # type: ignore[union-attr]
    shown = f"\nFor example: {json.dumps(example)}" if example else ""
    return (
        "Reply with one JSON object and nothing else. It must fit this JSON schema:\n"
        f"{form(returns).schema}{shown}"
    )


def _bare(schema: object) -> object:
    """A schema with its references resolved and without `title`, `description` and `example`."""

    def walk(node: object, defs: dict[str, object]) -> object:
        if isinstance(node, list):
            return [walk(item, defs) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return walk(defs[node["$ref"].removeprefix("#/$defs/")], defs)
        return {
            key: {k: walk(v, defs) for k, v in value.items()}
            if key == "properties"
            else walk(value, defs)
            for key, value in node.items()
            if key not in ("title", "description", "example", "$defs", "default")
        }

    assert isinstance(schema, dict)
    return walk(schema, schema.get("$defs", {}))
