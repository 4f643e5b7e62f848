"""`anthropic:NAME[,base_url=URL]`: a model behind Anthropic's Messages API, through its own SDK.

At Anthropic's own endpoint the key is that of ANTHROPIC_API_KEY. To any other base URL none is
sent unless `api_key_env=NAME` says which, in the header x-api-key or in `key_header`;
`headers=NAME:VALUE;…` sends more. `effort` says how hard to work, and `thinking` is `adaptive`,
`off`, or a budget in tokens, which counts as part of a reply. The API takes no temperature, top_p,
seed or log-probabilities. There the prefix that siblings share is marked for the provider's cache,
unless `cache=false`; elsewhere with `cache=true`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, SecretStr

from hch.errors import UsageError
from hch.models._address import Wanted, find
from hch.models._http import HttpModel
from hch.models._messages import Messages
from hch.models._sdk import SdkTransport
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import canonical

OFFICIAL = "https://api.anthropic.com"
KEY = "ANTHROPIC_API_KEY"

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]


def _thinking(said: str) -> int | str:
    if said in ("adaptive", "off"):
        return said
    if said.isdecimal() and int(said) >= 1024:
        return int(said)
    raise ValueError("it is adaptive, off, or a budget of 1024 tokens or more")


Thinking: TypeAlias = Annotated[Any, BeforeValidator(_thinking)]


def build(  # noqa: PLR0913 - a plugin's parameters are its options
    arg: str,
    *,
    base_url: str | None = None,
    effort: Effort | None = None,
    thinking: Thinking | None = None,
    cache: bool | None = None,
    api_key_env: str | None = None,
    key_header: str | None = None,
    headers: str | None = None,
    keys: Mapping[str, SecretStr] | None = None,
    rate: Rate | None = None,
) -> Model:
    """The model NAME at Anthropic, or at a `base_url` such as http://127.0.0.1:8000.

    `keys` are the environment's, by variable. `rate` is its price; without a key it is free. Raises
    UsageError for an option out of range, ConfigError where a key is missing.
    """
    import anthropic

    if not arg:
        raise UsageError("model 'anthropic' wants a name: write anthropic:NAME")
    root = base_url and base_url.rstrip("/").removesuffix("/v1")
    wanted = Wanted(root or base_url, api_key_env, key_header, headers)
    at = find(wanted, OFFICIAL, KEY, "X-Api-Key", keys)
    usual = at.url == OFFICIAL
    marked = usual if cache is None else cache
    there = at.options(OFFICIAL, KEY, "X-Api-Key")
    options = {
        "base_url": there["base_url"],
        "effort": effort,
        "thinking": thinking,
        "cache": None if marked == usual else str(marked).lower(),
        **there,
    }
    transport = SdkTransport(at, f"{at.url}/v1/messages", anthropic, _connect)
    wire = Messages(arg, effort, thinking, marked)
    return HttpModel(canonical("anthropic", arg, options), at, wire, transport, rate)


def _connect(*, default_headers: Mapping[str, str], **options: Any) -> Any:
    """A client that sends what the address says, and nothing of the environment."""
    import anthropic

    client = anthropic.AsyncAnthropic(api_key="none", open_telemetry=False, **options)
    client._custom_headers = default_headers  # noqa: SLF001 - else with some of the environment
    return client
