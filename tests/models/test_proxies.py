"""Every provider reaches its server by the proxy that the environment names, or by none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.loopback import Loopback, Reply, chat, messages
from tests.models.calls import ask, build


@pytest.mark.parametrize("provider", ["openai", "vllm", "anthropic"])
async def test_requests_go_by_the_proxy_that_the_environment_names(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reply(body: Any) -> Reply:
        return Reply(messages("4") if provider == "anthropic" else chat("4"))

    with Loopback(reply) as proxy:
        monkeypatch.setenv("http_proxy", proxy.origin)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        away = build(f"{provider}:small,base_url=http://models.invalid/v1")
        assert (await away.complete(ask())).text == "4"
        await away.close()
        with Loopback(reply) as server:
            near = build(f"{provider}:small,base_url={server.url}")
            assert (await near.complete(ask())).text == "4"
            await near.close()
    assert [request.path.split("/")[:3] for request in proxy.requests] == [
        ["http:", "", "models.invalid"]
    ]
    assert len(server.requests) == 1
