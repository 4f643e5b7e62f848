"""What `openai:` makes of refusals in the words of OpenAI, and of others that speak its format.

What is common to all providers is in `test_faults.py`.
"""

from __future__ import annotations

import pytest

from hch.errors import ConfigError, LengthError, NodeError, RefusalError, TransientModelError
from tests.loopback import Loopback, Reply
from tests.models.calls import CANARY, ask, build, fault_of


def error(message: str = "no", **more: str) -> dict[str, object]:
    return {"error": {"message": f"{message} ({CANARY})", **more}}


async def test_a_key_is_not_shown_in_part_either() -> None:
    fault = await fault_of(Reply(error("Incorrect API key provided: sk-can***6789"), 401))
    assert isinstance(fault, ConfigError)
    assert "sk-can" not in str(fault)


async def test_an_option_that_the_model_does_not_take_is_a_setting_to_put_right() -> None:
    for code in ("unsupported_value", "unsupported_parameter"):
        fault = await fault_of(Reply(error("temperature", code=code), 400))
        assert isinstance(fault, ConfigError)
        assert "the options of its spec" in str(fault)


async def test_a_server_that_wants_a_key_says_how() -> None:
    with Loopback(lambda _: Reply(error("who?"), 401)) as server:
        model = build(f"openai:small,base_url={server.url}")
        with pytest.raises(ConfigError, match="api_key_env=NAME"):
            await model.complete(ask())
        await model.close()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (error("maximum context length is 9", code="context_length_exceeded"), LengthError),
        (error("request (9 tokens)", type="exceed_context_size_error"), LengthError),
        ({"message": "This model's maximum context length is 9 tokens."}, LengthError),
        (error("filtered", code="content_filter"), RefusalError),
    ],
)
async def test_prompts_that_cannot_be_answered(body: object, kind: type[NodeError]) -> None:
    assert isinstance(await fault_of(Reply(body, 400)), kind)


async def test_what_is_said_stands_on_one_line_without_the_key() -> None:
    fault = await fault_of(Reply(error("later,\nperhaps"), 500))
    assert isinstance(fault, TransientModelError)
    assert "later, perhaps ([key])" in str(fault)
