"""What is sent and what comes is kept byte for byte, whatever it is, and read from the file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hch import HCH, Question, Text
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.loopback import Loopback, Reply, chat
from tests.promises import LONG, Promise

AT_ONCE = 16

ODD = st.sampled_from("\0\ud800\udfff\u202e\u2028\ufeff\x1b\x7f\r\n\U000e0041")
TEXTS = st.text(st.characters(codec=None) | ODD, min_size=1, max_size=300)
REPLIES = st.tuples(TEXTS, st.integers(1, 40), st.booleans())
"""A text, how often it is said, and whether the wire has it in ASCII."""


def encoded(text: str, *, in_ascii: bool) -> bytes:
    """A good reply that says a text; a lone surrogate has no bytes but in ASCII."""
    plain = json.dumps(chat(text), ensure_ascii=False)
    try:
        return json.dumps(chat(text)).encode() if in_ascii else plain.encode()
    except UnicodeEncodeError:
        return json.dumps(chat(text)).encode()


class Echo:
    """Answers the question about number <0> with the first of its `replies`, and so on."""

    replies: Sequence[bytes] = ()

    def __call__(self, body: Any) -> Reply:
        number = body["messages"][-1]["content"].partition("number <")[2].partition(">")[0]
        return Reply(self.replies[int(number)])


@settings(
    max_examples=400 if LONG else 15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a smaller one takes a minute to find
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(TEXTS, REPLIES), min_size=AT_ONCE, max_size=AT_ONCE))
def test_I11_what_is_sent_and_what_comes_is_kept_to_the_byte(  # noqa: N802
    promise: Promise, said: list[tuple[str, tuple[str, int, bool]]]
) -> None:
    echo = Echo()
    echo.replies = [encoded(text * n, in_ascii=ascii_) for _, (text, n, ascii_) in said]
    questions = [
        Question(Text(f"What is number <{i}>?"), (Text(text, "document:it"),))
        for i, (text, _) in enumerate(said)
    ]
    with promise.kept("I11", tries=AT_ONCE), Loopback(echo) as server:
        model = f"vllm:small,base_url={server.url}"
        with closing(SqliteStore("runs.db")) as store:
            run = HCH(depth=0, model=model, store=store, attempts=1).begin(questions)
            asyncio.run(run.finish())
        sent = {json.dumps(r.body["messages"]): r.raw for r in server.requests}
        with closing(SqliteStore("runs.db")) as store:
            trace = Trace(store.events(run.id))
            assert store.check() == []
        for i, root in enumerate(trace.roots):
            [(_, call)] = root.thoughts
            assert call is not None
            assert call.finished is not None
            assert call.finished.raw == echo.replies[i]
            assert (
                call.finished.text
                == json.loads(echo.replies[i])["choices"][0]["message"]["content"]
            )
            [intent] = call.intents
            messages = [{"role": m.role, "content": m.content} for m in intent.sent()]
            assert json.dumps(messages) in sent
            assert root.question.context[0].body == said[i][0]
