"""`openai:NAME[,base_url=URL]`: a chat model behind OpenAI's wire format, through its own SDK.

At OpenAI's own endpoint the key is that of OPENAI_API_KEY. To any other base URL none is sent, so
that a local server is free and no key goes astray, unless `api_key_env=NAME` says which;
`key_header=api-key` sends it as Azure wants it, and `headers=NAME:VALUE;…` sends more. Where
requests go is what the spec says: OPENAI_BASE_URL is not read, but proxies are, as everybody reads
them. `temperature`, `top_p`, `seed`, `logprobs` (how many alternatives to record) and `effort`, for
models that reason, hold where a request does not say. `limit` is what the server calls the longest
reply, where that cannot be told by its name. A request's own seed is not sent: few providers keep
to one. At OpenAI's own address OPENAI_ORG_ID and OPENAI_PROJECT_ID say who pays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, SecretStr

from hch.errors import UsageError
from hch.models._address import Address, Wanted, find
from hch.models._chat import Chat
from hch.models._http import HttpModel
from hch.models._sdk import SdkTransport
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import canonical
from hch.types import Sampling

OFFICIAL = "https://api.openai.com/v1"
KEY = "OPENAI_API_KEY"

_OWN_HOSTS = (
    ".api.openai.com",
    ".openai.azure.com",
    ".openai.azure.us",
    ".cognitiveservices.azure.com",
    ".services.ai.azure.com",
)
"""Those that call the longest reply `max_completion_tokens`, as newer models want it."""

Temperature: TypeAlias = Annotated[float, Field(ge=0, le=2)]
Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Alternatives: TypeAlias = Annotated[int, Field(ge=0, le=20)]
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


def build(  # noqa: PLR0913 - a plugin's parameters are its options
    arg: str,
    *,
    base_url: str | None = None,
    temperature: Temperature | None = None,
    top_p: Share | None = None,
    seed: int | None = None,
    logprobs: Alternatives | None = None,
    effort: Effort | None = None,
    api_key_env: str | None = None,
    key_header: str | None = None,
    headers: str | None = None,
    limit: Literal["max_tokens", "max_completion_tokens"] | None = None,
    keys: Mapping[str, SecretStr] | None = None,
    rate: Rate | None = None,
) -> Model:
    """The model NAME at OpenAI, or at a `base_url` such as http://127.0.0.1:8000/v1.

    `keys` are the environment's, by variable. `rate` is its price; without a key it is free. Raises
    UsageError for an option out of range, ConfigError where a key is missing.
    """
    import openai

    if not arg:
        raise UsageError("model 'openai' wants a name: write openai:NAME")
    wanted = Wanted(base_url, api_key_env, key_header, headers)
    at = find(wanted, OFFICIAL, KEY, "Authorization", keys)
    own = at.host == "api.openai.com" or at.host.endswith(_OWN_HOSTS)
    chat = Chat(
        arg,
        Sampling(temperature=temperature, top_p=top_p, seed=seed, logprobs=logprobs),
        limit=limit or ("max_completion_tokens" if own else "max_tokens"),
        least=0 if own else 1,
        extra={"reasoning_effort": effort} if effort else {},
    )
    there = at.options(OFFICIAL, KEY, "Authorization")
    options = {
        "base_url": there["base_url"],
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "logprobs": logprobs,
        "effort": effort,
        "limit": limit,
        **there,
    }
    transport = SdkTransport(at, f"{at.url}/chat/completions", openai, _connect(at))
    return HttpModel(canonical("openai", arg, options), at, chat, transport, rate)


def _connect(at: Address) -> Any:
    def connect(**options: Any) -> Any:
        """A client that sends what the address says, and elsewhere nothing of the environment."""
        import openai

        client = openai.AsyncOpenAI(api_key="none", **options)
        # Else with OPENAI_CUSTOM_HEADERS, wherever they go.
        client._custom_headers = options["default_headers"]  # noqa: SLF001
        if at.url != OFFICIAL:  # the SDK took these from the environment
            client.organization = client.project = None
        return client

    return connect
