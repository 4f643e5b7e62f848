"""Every provider reaches its server by the proxy that the environment names, or by none."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import encode_basic_auth

from hch.environment import proxy
from hch.errors import ConfigError, HchError, TransientModelError
from tests.loopback import Loopback, Reply, chat, messages
from tests.models.calls import ask, build

SECRET = "proxy-passw0rd"


def reply(body: Any) -> Reply:
    return Reply(messages("4") if "max_tokens" in body else chat("4"))


@pytest.fixture(autouse=True)
def no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("provider", ["openai", "vllm", "anthropic"])
async def test_requests_go_by_the_proxy_that_the_environment_names(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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


async def test_a_proxy_is_told_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(reply) as proxy:
        there = proxy.origin.removeprefix("http://")
        monkeypatch.setenv("http_proxy", f"http://user:{SECRET}@{there}")
        model = build("vllm:small,base_url=http://models.invalid/v1")
        assert (await model.complete(ask())).text == "4"
        await model.close()
    assert proxy.requests[0].headers["proxy-authorization"] == encode_basic_auth("user", SECRET)


async def through(provider: str, answer: int) -> HchError:
    """What a provider makes of a proxy that answers a CONNECT so."""
    model = build(f"{provider}:small,base_url=https://models.invalid/v1")
    with pytest.raises(HchError) as fault:
        await model.complete(ask())
    await model.close()
    assert SECRET not in f"{fault.value} {vars(fault.value)}"
    return fault.value


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")  # the SDKs' own
@pytest.mark.filterwarnings("ignore:The 'proxy_auth' parameter:DeprecationWarning")
@pytest.mark.parametrize("provider", ["openai", "vllm", "anthropic"])
async def test_a_proxy_that_refuses_is_a_setting_to_put_right(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = 407
    with Loopback(lambda _: Reply(b"", status)) as server:
        there = server.origin.removeprefix("http://")
        monkeypatch.setenv("https_proxy", f"http://user:{SECRET}@{there}")
        refused = await through(provider, 407)
        status = 503
        away = await through(provider, 503)
    assert isinstance(refused, ConfigError)
    assert "the proxy on the way to" in str(refused)
    assert isinstance(away, TransientModelError)
    assert (away.kind, away.ran) == ("unreachable", False)


@pytest.mark.parametrize(
    ("provider", "named"),
    [
        ("openai", "foo://127.0.0.1:1"),
        ("anthropic", "foo://127.0.0.1:1"),
        ("vllm", "foo://127.0.0.1:1"),
        ("vllm", "socks5://127.0.0.1:1"),
        ("openai", "socks5://127.0.0.1:1"),
        ("vllm", "http://us%3Aer:p@127.0.0.1:1"),
        ("openai", "http://[::1"),
    ],
)
async def test_a_proxy_that_none_can_be_is_told(
    named: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", named)
    with pytest.raises(ConfigError, match="must be http://HOST:PORT"):
        await build(f"{provider}:small,base_url=http://models.invalid/v1").complete(ask())


@pytest.mark.parametrize(
    ("exempt", "url", "goes_by_it"),
    [
        ("", "http://127.0.0.1:8000/v1", True),
        ("127.0.0.1", "http://127.0.0.1:8000/v1", False),
        ("127.0.0.0/8", "http://127.0.0.1:8000/v1", False),
        ("10.0.0.0/8, nonsense/9", "http://127.0.0.1:8000/v1", True),
        ("::1", "http://[::1]:8000/v1", False),
        ("lan", "http://box.lan/v1", False),
        ("*", "http://box.wan/v1", False),
    ],
)
def test_what_goes_by_no_proxy(
    exempt: str, url: str, goes_by_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")
    monkeypatch.setenv("no_proxy", exempt)
    assert proxy(url) == ("http://127.0.0.1:9" if goes_by_it else None)
