"""What a format writes is what its consumers say that they take.

Their words are `schemas/*.json`, each with its source; what a schema cannot say is a rule here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hch
from hch import registry
from hch.protocols import Format
from hch.rows import KINDS, Row, Turn
from tests.formats.rows import rows, whole

FOLDER = Path(hch.__file__).parent / "formats"
SCHEMAS = Path(__file__).parent / "schemas"

CONSUMERS = {
    "prompt-completion": ["trl-prompt-completion"],
    "prompt-completion,reasoning=field": ["trl-prompt-completion"],
    "prompt-completion,reasoning=inline": ["trl-prompt-completion"],
    "prompt-completion,weights=true": ["trl-prompt-completion"],
    "conversational": ["trl-language-modeling", "openai-fine-tuning", "axolotl-chat-template"],
    "conversational,reasoning=inline": [
        "trl-language-modeling", "openai-fine-tuning", "axolotl-chat-template",
    ],
    "conversational,reasoning=field": ["trl-language-modeling", "axolotl-chat-template"],
    "conversational,weights=true": [
        "trl-language-modeling", "openai-fine-tuning", "axolotl-chat-template",
    ],
    "preference": ["trl-preference", "axolotl-dpo-chat-template"],
    "preference,weights=true": ["trl-preference", "axolotl-dpo-chat-template"],
    "unpaired": ["trl-unpaired-preference"],
    "unpaired,weights=true": ["trl-unpaired-preference"],
    "prompt-only": ["trl-prompt-only"],
    "stepwise": ["trl-stepwise-supervision", "axolotl-stepwise-supervised"],
    "prm800k": ["prm800k"],
    "sharegpt": ["llama-factory-sharegpt"],
    "sharegpt,reasoning=inline": ["llama-factory-sharegpt"],
    "sharegpt,stage=dpo": ["llama-factory-sharegpt-dpo"],
    "sharegpt,stage=kto": ["llama-factory-sharegpt-kto"],
    "alpaca": ["llama-factory-alpaca"],
    "alpaca,reasoning=inline": ["llama-factory-alpaca"],
    "alpaca,stage=dpo": ["llama-factory-alpaca-dpo"],
    "alpaca,stage=kto": ["llama-factory-alpaca-kto"],
    "vote-shares": ["vote-shares"],
    "vote-shares,weights=true": ["vote-shares"],
    "logprobs": ["logprobs"],
    "logprobs,weights=true": ["logprobs"],
}  # fmt: skip
"""Who takes what, by the names of their schemas."""

Line = Mapping[str, Any]


@cache
def schema(name: str) -> jsonschema.Draft202012Validator:
    body = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(body)
    assert body["$comment"], "a schema names its source"
    return jsonschema.Draft202012Validator(body)


def made(spec: str) -> Format:
    built: Format = registry.build("formats", registry.Spec.parse(spec))
    return built


def one_reply_is_learned(line: Line) -> bool:
    """OpenAI learns every message of the assistant but those of weight 0; one there must be."""
    weights = [said.get("weight", 1) for said in line["messages"] if said["role"] == "assistant"]
    return sum(weights) == 1 and line["messages"][-1]["role"] == "assistant"


def labels_are_as_many(line: Line) -> bool:
    return len(line["labels"]) == len(line["completions"])


def they_take_turns(line: Line) -> bool:
    """LLaMA-Factory drops a conversation in which a human does not begin, or two do not alternate.

    With what it is to learn, the last word is the model's.
    """
    speakers = [said["from"] for said in line["conversations"]]
    speakers += ["gpt"] if "chosen" in line else []
    turns = [who for who, _ in zip(cycle(["human", "gpt"]), speakers, strict=False)]
    return speakers == turns and len(speakers) % 2 == 0


def shares_are_whole(line: Line) -> bool:
    shares = line["shares"]
    return len(shares) == len(line["completions"]) and abs(sum(shares) - 1) < 1e-9


def positions_are_equal(line: Line) -> bool:
    widths = [len(position) for position in line["logprobs"]]
    return widths == [len(ids) for ids in line["target_token_ids"]] and len(set(widths)) == 1


RULES: Mapping[str, Callable[[Line], bool]] = {
    "openai-fine-tuning": one_reply_is_learned,
    "trl-stepwise-supervision": labels_are_as_many,
    "axolotl-stepwise-supervised": labels_are_as_many,
    "llama-factory-sharegpt": they_take_turns,
    "llama-factory-sharegpt-dpo": they_take_turns,
    "llama-factory-sharegpt-kto": they_take_turns,
    "vote-shares": shares_are_whole,
    "logprobs": positions_are_equal,
}


def takes(name: str, lines: Sequence[Line]) -> bool:
    return all(schema(name).is_valid(line) and RULES.get(name, bool)(line) for line in lines)


def test_every_format_has_a_consumer_and_every_schema_a_format() -> None:
    files = {path.stem.replace("_", "-") for path in FOLDER.glob("[!_]*.py")}
    assert {spec.partition(",")[0] for spec in CONSUMERS} == files
    named = {name for names in CONSUMERS.values() for name in names}
    assert {path.stem for path in SCHEMAS.iterdir()} == named | {"llama-factory-dataset-info"}


@pytest.mark.parametrize("spec", CONSUMERS)
@settings(max_examples=30)
@given(data=st.data())
def test_every_consumer_takes_every_line(spec: str, data: st.DataObject) -> None:
    form = made(spec)
    row = data.draw(rows(data.draw(st.sampled_from(form.kinds))))
    if form.lacks(row) is None:
        lines = json.loads(json.dumps(form.encode(row)))
        for name in CONSUMERS[spec]:
            assert takes(name, lines), name


@pytest.mark.parametrize("spec", CONSUMERS)
def test_no_consumer_takes_a_line_without_one_of_its_columns(spec: str) -> None:
    form = made(spec)
    for kind in form.kinds:
        lines = form.encode(whole(kind))
        for name in CONSUMERS[spec]:
            assert takes(name, lines)
            for column in form.columns.keys() - {"weight"}:
                assert not takes(name, [{k: v for k, v in lines[0].items() if k != column}])


TWICE = (Turn("user", "2 + 3?"), Turn("assistant", "6"), Turn("user", "Sure?"))


@pytest.mark.parametrize(
    ("spec", "lack"),
    [
        ("conversational", "a prompt without replies in it"),
        ("conversational,weights=true", None),
        ("prompt-completion", None),
        ("sharegpt", "a prompt without replies in it"),
        ("alpaca", "a prompt of one message of the user"),
    ],
)
def test_no_reply_within_a_prompt_is_learned(spec: str, lack: str | None) -> None:
    form, row = made(spec), replace(whole("decision"), prompt=TWICE)
    assert form.lacks(row) == lack
    if spec.startswith("conversational,"):
        [line] = form.encode(row)
        weights = [said.get("weight") for said in line["messages"]]
        assert weights == [None, 0, None, 1]


@pytest.mark.parametrize("spec", ["unpaired", "sharegpt,stage=kto", "alpaca,stage=kto"])
def test_a_verdict_is_a_line_and_a_preference_two(spec: str) -> None:
    form = made(spec)
    assert form.judged
    right = whole("answer")
    assert [line["label"] for line in form.encode(right)] == [True]
    assert [line["label"] for line in form.encode(replace(right, good=False))] == [False]
    assert form.lacks(replace(right, good=None)) == "a verdict"
    better, worse = form.encode(whole("preference"))
    assert (better["label"], worse["label"]) == (True, False)
    assert json.dumps(better).replace('"5"', '"6"').replace("true", "false") == json.dumps(worse)


def said(line: Line) -> Any:
    """What the assistant says in the line, however it is named there."""
    last = line.get("messages") or line.get("completion") or line.get("conversations")
    return last[-1] if last else line["output"]


@pytest.mark.parametrize(
    ("spec", "reply"),
    [
        ("prompt-completion", {"role": "assistant", "content": "5"}),
        (
            "prompt-completion,reasoning=field",
            {"role": "assistant", "content": "5", "reasoning_content": "2 and 3 more."},
        ),
        (
            "conversational,reasoning=inline",
            {"role": "assistant", "content": "<think>\n2 and 3 more.\n</think>\n\n5"},
        ),
        ("sharegpt", {"from": "gpt", "value": "5"}),
        (
            "sharegpt,reasoning=inline",
            {"from": "gpt", "value": "<think>\n2 and 3 more.\n</think>\n\n5"},
        ),
        ("alpaca", "5"),
        ("alpaca,reasoning=inline", "<think>\n2 and 3 more.\n</think>\n\n5"),
    ],
)
def test_what_was_thought_stays_out_unless_it_is_asked_for(spec: str, reply: Any) -> None:
    [line] = made(spec).encode(whole("answer"))
    assert said(line) == reply


@pytest.mark.parametrize("spec", CONSUMERS)
def test_no_thought_is_told_where_it_was_not_asked_for(spec: str) -> None:
    form = made(spec)
    told = [json.dumps(form.encode(whole(kind))) for kind in form.kinds]
    assert any("more." in line for line in told) == ("reasoning=" in spec)


def test_a_row_of_which_nothing_was_thought_has_no_empty_thought_inline() -> None:
    row = replace(whole("answer"), thinking="")
    assert said(made("conversational,reasoning=inline").encode(row)[0])["content"] == "5"
    field = said(made("conversational,reasoning=field").encode(row)[0])
    assert field["reasoning_content"] == ""


def test_weights_say_how_much_a_row_counts() -> None:
    row = replace(whole("answer"), weight=0.25)
    [line] = made("prompt-completion,weights=true").encode(row)
    assert line["weight"] == 0.25
    assert "weight" not in made("prompt-completion").encode(row)[0]


@pytest.mark.parametrize("spec", ["sharegpt", "alpaca"])
@pytest.mark.parametrize("stage", ["sft", "dpo", "kto"])
def test_dataset_info_names_every_folder_and_the_columns_that_the_lines_have(
    spec: str, stage: str
) -> None:
    form = made(f"{spec},stage={stage}")
    folders = {f"{kind}/{split}": ["00000.jsonl"] for kind in form.kinds for split in ("train",)}
    [(name, text)] = form.beside(folders).items()
    assert name == "dataset_info.json"
    info = json.loads(text)
    assert schema("llama-factory-dataset-info").is_valid(info)
    assert {dataset: entry["file_name"] for dataset, entry in info.items()} == {
        folder.replace("/", "-"): folder for folder in folders
    }
    for entry in info.values():
        assert entry["formatting"] == spec
        assert entry.get("ranking", False) == (stage == "dpo")
        assert set(entry["columns"].values()) == set(form.columns)
        assert ("kto_tag" in entry["columns"]) == (stage == "kto")


def test_prm800k_has_a_rating_a_step_and_says_nothing_that_is_not_known() -> None:
    form, row = made("prm800k"), whole("step")
    [line] = form.encode(row)
    steps = line["label"]["steps"]
    assert [step["completions"][0]["rating"] for step in steps] == [0, 1, -1]
    assert line["label"]["finish_reason"] == "found_error"
    assert line["question"]["pre_generated_steps"] == [step.text for step in row.steps]
    known = {"labeler": "check", "timestamp": None, "generation": None}
    assert {name: line[name] for name in known} == known
    assert row.completion
    for name in ("ground_truth_answer", "ground_truth_solution", "pre_generated_answer"):
        assert line["question"][name] is None
    right = replace(row, steps=row.steps[:2])
    ends = [form.encode(replace(right, good=good))[0]["label"]["finish_reason"]
            for good in (True, None, False)]  # fmt: skip
    assert ends == ["solution", None, None]


def broken(**changes: Any) -> Row:
    return replace(whole("soft"), **changes)


@pytest.mark.parametrize(
    ("spec", "row", "lack"),
    [
        ("vote-shares", broken(shares=()), "the shares of a vote"),
        ("vote-shares", broken(shares=(("5", 0.5), ("6", 0.4))), "shares that sum to 1"),
        ("vote-shares", broken(shares=(("5", 1.5), ("6", -0.5))), "shares that sum to 1"),
        ("logprobs", broken(tokens=None), "log-probabilities"),
        ("preference", replace(whole("preference"), rejected="5"), "two different completions"),
        ("preference", replace(whole("preference"), rejected=""), "a rejected completion"),
        ("stepwise", replace(whole("step"), steps=()), "steps"),
        ("prm800k", replace(whole("step"), steps=()), "steps"),
        ("prompt-completion", replace(whole("answer"), completion=""), "a completion"),
        (
            "sharegpt",
            replace(whole("answer"), prompt=(Turn("system", "Be brief."),)),
            "a prompt in which user and assistant take turns",
        ),
        (
            "conversational",
            replace(whole("answer"), prompt=(Turn("user", ""),)),
            "text in a message of its prompt",
        ),
    ],
)
def test_what_a_row_lacks_is_said(spec: str, row: Row, lack: str) -> None:
    assert made(spec).lacks(row) == lack


@pytest.mark.parametrize("spec", [spec for spec in CONSUMERS if "soft" in made(spec).kinds])
def test_a_format_of_soft_rows_says_whether_they_are_of_tokens(spec: str) -> None:
    form = made(spec)
    assert form.numbered == spec.startswith("logprobs")
    of_votes, of_tokens = broken(tokens=None), broken(shares=())
    assert form.lacks(of_tokens if form.numbered else of_votes) is None
    assert form.lacks(of_votes if form.numbered else of_tokens)


def test_log_probabilities_have_equally_many_at_each_token_and_are_numbers() -> None:
    form = made("logprobs")
    tokens = whole("soft").tokens
    assert tokens is not None
    uneven = replace(tokens, ids=((1, 2), (3,)), logprobs=((-1.0, -2.0), (-1.0,)))
    assert form.lacks(broken(tokens=uneven)) == "as many log-probabilities at each token"
    short = replace(tokens, logprobs=tokens.logprobs[:1])
    assert form.lacks(broken(tokens=short)) == "as many log-probabilities at each token"
    endless = replace(tokens, logprobs=((0.0, float("-inf")), (0.0, -1.0)))
    assert form.lacks(broken(tokens=endless)) == "log-probabilities that are numbers"
    [line] = form.encode(broken())
    assert line["tokenizer_hash"] == tokens.tokenizer
    assert (line["model"], line["model_revision"]) == ("vllm:tiny", "main")
    assert all(low <= high for position in line["logprobs"] for high, low in pairwise(position))


def test_every_kind_of_row_has_a_format() -> None:
    assert {kind for spec in CONSUMERS for kind in made(spec).kinds} == set(KINDS)
