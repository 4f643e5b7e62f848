"""`ScriptedModel`: what a user's own tests stand on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hch import registry
from hch.errors import ConfigError, ModelError, RefusalError, TransientModelError, UsageError
from hch.models.scripted import ScriptedModel, failure
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import Spec
from hch.types import Completion, Message, Part, Request, Sampling, Usage


def ask(text: str, question: str = "", **more: object) -> Request:
    message = Message("user", (Part("Please: "), Part(text, "question")))
    return Request((message,), question=question or text, **more)  # type: ignore[arg-type]


def from_file(tmp_path: Path, rules: str, options: str = "") -> Model:
    path = tmp_path / "rules.toml"
    path.write_text(rules, "utf-8")
    model = registry.build("models", Spec.parse(f"scripted:{path}{options}"), keys={}, rate=None)
    assert isinstance(model, Model)
    return model


async def test_a_function_answers_and_every_request_is_kept() -> None:
    model = ScriptedModel(lambda request: f"<{request.question}>")
    assert isinstance(model, Model)
    assert (await model.complete(ask("2+3"))).text == "<2+3>"
    assert [request.question for request in model.requests] == ["2+3"]
    assert model.rate == Rate()
    assert not model.keyed


async def test_a_function_may_be_async_and_may_return_a_completion_or_an_error() -> None:
    async def script(request: Request) -> Completion | RefusalError:
        await asyncio.sleep(0)
        no = RefusalError("not that")
        return no if request.question == "bad" else Completion("cut", "length", Usage(9, 4))

    model = ScriptedModel(script, rate=Rate(1, 2))
    completion = await model.complete(ask("good"))
    assert (completion.text, completion.finish, completion.usage) == ("cut", "length", Usage(9, 4))
    with pytest.raises(RefusalError, match="not that"):
        await model.complete(ask("bad"))


async def test_a_mapping_matches_the_question_or_the_longest_part_of_the_last_message() -> None:
    model = ScriptedModel({"2+3": "5", "12+3": "15", "exactly": "yes"})
    assert (await model.complete(ask("What is 12+3?"))).text == "15"
    assert (await model.complete(ask("2+3 and nothing else", question="exactly"))).text == "yes"
    with pytest.raises(ModelError, match=r"no rule for the question '9\*9'") as fault:
        await model.complete(ask("9*9"))
    assert (fault.value.kind, fault.value.ran) == ("no rule", False)


async def test_usage_is_a_token_for_every_four_characters() -> None:
    model = ScriptedModel({"": "12345"})
    assert (await model.complete(ask("hello"))).usage == Usage(input=4, output=2)
    assert (await ScriptedModel({"": ""}).complete(Request(()))).usage == Usage(1, 1)


async def test_failures_count_attempts_for_each_request() -> None:
    def failures(request: Request, attempt: int) -> ModelError | None:
        return failure("http 429") if attempt <= 2 and request.question == "hard" else None

    model = ScriptedModel({"easy": "a", "hard": "b"}, failures=failures)
    outcomes: list[str] = []
    for question in ("hard", "easy", "hard", "hard"):
        try:
            outcomes.append((await model.complete(ask(question))).text)
        except TransientModelError as error:
            outcomes.append(f"{error.kind} {error.ran}")
    assert outcomes == ["http 429 False", "a", "http 429 False", "b"]


@pytest.mark.parametrize(
    ("kind", "transient", "ran"),
    [
        ("http 429", True, False),
        ("http 400", False, False),
        ("http 500", True, True),
        ("http 503", True, False),
        ("timeout", True, True),
        ("reset", True, True),
        ("bad body", True, True),
        ("unreachable", True, False),
    ],
)
def test_failures_are_as_the_bill_sees_them(kind: str, transient: bool, ran: bool) -> None:
    error = failure(kind)
    assert (error.kind, error.ran) == (kind, ran)
    assert isinstance(error, TransientModelError) == transient


async def test_latency_may_depend_on_the_request() -> None:
    model = ScriptedModel({"": "x"}, latency=lambda request: 3600.0 * (request.question == "slow"))
    slow = asyncio.ensure_future(model.complete(ask("slow")))
    assert (await model.complete(ask("quick"))).text == "x"
    assert not slow.done()
    slow.cancel()


async def test_log_probabilities_are_made_up_but_repeat() -> None:
    model = ScriptedModel({"": "It is  5.\n"})
    wanted = ask("2+3", sampling=Sampling(logprobs=2))
    tokens = (await model.complete(wanted)).logprobs
    assert tokens is not None
    assert "".join(token.token for token in tokens) == "It is  5.\n"
    assert all(-2 <= token.logprob <= 0 and len(token.top) == 2 for token in tokens)
    assert (await model.complete(wanted)).logprobs == tokens
    assert (await ScriptedModel({"": "It is  5.\n"}, seed=1).complete(wanted)).logprobs != tokens
    assert (await model.complete(ask("2+3"))).logprobs is None
    with pytest.raises(ConfigError, match="no log-probabilities"):
        await ScriptedModel({"": "x"}, logprobs=False).complete(wanted)


RULES = r"""
[[rule]]
question = "exactly this"
reply = 'as it is: \1'

[[rule]]
match = 'What is (\d+) plus (?P<other>zero|one)'
reply = 'It is \1 and \g<other>.'
finish = "length"
usage = { input = 40, output = 8 }
logprobs = [["It", -0.5], [" is", -0.25]]

[[rule]]
match = 'twice'
reply = "done"
fail = ["http 429", "timeout"]
"""


async def test_rules_of_a_file(tmp_path: Path) -> None:
    model = from_file(tmp_path, RULES)
    assert model.name == f"scripted:{tmp_path / 'rules.toml'}"
    assert (await model.complete(ask("anything", question="exactly this"))).text == r"as it is: \1"
    completion = await model.complete(ask("What is 7 plus one?", sampling=Sampling(logprobs=0)))
    assert completion.text == "It is 7 and one."
    assert (completion.finish, completion.usage) == ("length", Usage(40, 8))
    assert [t.logprob for t in completion.logprobs or ()] == [-0.5, -0.25]
    with pytest.raises(ModelError, match="no rule"):
        await model.complete(ask("unheard of"))
    await model.close()


async def test_a_rule_fails_the_first_attempts_of_each_request(tmp_path: Path) -> None:
    model = from_file(tmp_path, RULES)
    for kind in ("http 429", "timeout"):
        with pytest.raises(TransientModelError) as fault:
            await model.complete(ask("twice"))
        assert fault.value.kind == kind
    assert (await model.complete(ask("twice"))).text == "done"


async def test_latency_of_the_spec_is_for_rules_without_their_own(tmp_path: Path) -> None:
    rules = '[[rule]]\nmatch = "quick"\nreply = "q"\nlatency = 0\n[[rule]]\nmatch = ""\nreply = "s"'
    model = from_file(tmp_path, rules, ",latency=3600")
    assert model.name.endswith(",latency=3600")
    assert (await model.complete(ask("quick"))).text == "q"
    slow = asyncio.ensure_future(model.complete(ask("slow")))
    await asyncio.sleep(0)
    assert not slow.done()
    slow.cancel()


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("[[rule", "is not TOML"),
        ("[[rules]]", "rule"),
        ('[[rule]]\nmatch = "(a"\nreply = "x"', r"match = '\(a'"),
        ('[[rule]]\nreply = "x"', "`question` or `match`"),
        ('[[rule]]\nmatch = "a"\nquestion = "a"\nreply = "x"', "`question` or `match`"),
        ("[[rule]]\nmatch = '(a)'\nreply = '\\2'", r"reply has \\2"),
        ('[[rule]]\nmatch = "a"\nreply = "x"\nfail = ["oops"]', "'oops' is no failure"),
        ('[[rule]]\nmatch = "a"\nreply = "x"\nfinish = "end"', "finish"),
        ('[[rule]]\nmatch = "a"\nreply = "x"\nusage = {inputs = 1}', "usage"),
        ('[[rule]]\nmatch = "a"\nreply = "x"\nlatency = -1', "latency"),
        ('[[rule]]\nmatch = "a"\nreply = "x"\nanswer = "y"', "answer"),
    ],
)
def test_a_faulty_file_is_named_with_its_fault(tmp_path: Path, rules: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as fault:
        from_file(tmp_path, rules)
    assert "rules.toml" in str(fault.value)
    assert "Value error" not in str(fault.value)


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for name in ("missing.toml", "binary.toml"):
        with pytest.raises(UsageError, match=name):
            registry.build("models", Spec("scripted", str(tmp_path / name)))
