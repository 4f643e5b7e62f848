"""`openai:NAME[,base_url=URL]`: a chat model behind OpenAI's wire format, through its own SDK.

The SDK authenticates, sends over aiohttp and knows its errors. Its retries are off, and its parsing
is left out, since that costs more than all the rest; a reply is taken raw and checked here.

At OpenAI's own endpoint the key is that of OPENAI_API_KEY. To any other base URL none is sent, so
that a local server is free and no key goes astray, unless `api_key_env=NAME` says which. Where
requests go is what the spec says: OPENAI_BASE_URL is not read. `temperature`, `top_p` and `seed`
hold where a request does not say. A request's own seed is not sent: few providers keep to one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from hch.errors import ConfigError, TransientModelError, UsageError
from hch.models._chat import Endpoint, body, completion, refused
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import Spec
from hch.types import Completion, Request, Sampling

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

OFFICIAL = "https://api.openai.com/v1"
KEY = "OPENAI_API_KEY"


class OpenAIModel:
    """One model at one endpoint; a `Model`.

    `own` holds where a request does not say. `silence` is how many seconds may pass without a byte;
    the deadline of a whole attempt is not the model's business. The client belongs to the event
    loop that it was made in, and another loop gets another; `close` before a loop ends.
    """

    def __init__(
        self,
        name: str,
        model: str,
        at: Endpoint,
        *,
        own: Sampling | None = None,
        rate: Rate | None = None,
        silence: float = 600.0,
    ) -> None:
        self.name = name
        self.endpoint = at.url
        self.keyed = at.key is not None
        self.by_hand = False
        self.at_once: int | None = None
        self.rate = rate if rate is not None or self.keyed else Rate()
        self._model = model
        self._at = at
        self._own = own or Sampling()
        self._silence = silence
        self._client: AsyncOpenAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def complete(self, request: Request) -> Completion:
        """Answer one request by one call.

        Raises TransientModelError, ModelError, LengthError (the prompt is too long), RefusalError
        (a filter stopped it), ConfigError (a key, a name, an option or the credit is wrong).
        """
        import aiohttp
        import httpx2
        import openai

        sent = body(request, self._model, self._own, self._at)
        client = await self._connected()
        try:
            response = await client.post(
                f"{self.endpoint}/chat/completions",  # absolute: cheaper for the SDK
                cast_to=httpx2.Response,
                content=sent,
                options={"follow_redirects": False},
            )
        except openai.APIStatusError as error:
            status, headers = error.status_code, error.response.headers
            failure = refused(self._at, self._model, status, error.body, headers)
        except (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            failure = _broken(self._at, error)
        else:
            return completion(self._at, request, response.content)
        raise failure  # out here, since an SDK's error holds the request, and with it the key

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connected(self) -> AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if self._client is not None and self._loop is loop:
            return self._client
        stale, self._client, self._loop = self._client, self._connect(), loop
        fresh = self._client
        if stale is not None:
            await stale.close()
        return fresh

    def _connect(self) -> AsyncOpenAI:
        import httpx2
        import openai

        client = openai.AsyncOpenAI(
            api_key=self._at.key.get_secret_value() if self._at.key else "none",
            base_url=self._at.url,
            max_retries=0,
            timeout=openai.Timeout(self._silence, connect=min(10.0, self._silence)),
            http_client=openai.DefaultAioHttpClient(
                limits=httpx2.Limits(max_connections=100_000), event_hooks={"response": [_as_text]}
            ),
        )
        if not self._at.official:  # the SDK took these from the environment
            client.organization = client.project = None
        return client


async def _as_text(response: httpx2.Response) -> None:
    """Whatever charset a server claims: the SDK fails on some that are no text encodings."""
    response.encoding = "utf-8"


def _broken(at: Endpoint, error: BaseException) -> TransientModelError:
    """What a failure below HTTP means: only one before the connection stands has surely not run.

    The kind is told by the causes, since the SDK calls a refused connection a timeout.
    """
    import aiohttp
    import httpx2

    causes = list(_causes(error))
    kinds: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
        ("unreachable", (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)),
        ("timeout", (TimeoutError,)),
        ("bad body", (httpx2.DecodingError, aiohttp.ClientResponseError)),
    )
    found = (kind for kind, types in kinds if any(isinstance(cause, types) for cause in causes))
    kind = next(found, "reset")
    told = at.clean(causes[-1]) or type(causes[-1]).__name__
    return TransientModelError(f"{at.url}: {kind}: {told}", kind=kind, ran=kind != "unreachable")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def build(  # noqa: PLR0913 - a plugin's parameters are its options
    arg: str,
    *,
    base_url: str | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    api_key_env: str | None = None,
    keys: Mapping[str, SecretStr] | None = None,
    rate: Rate | None = None,
) -> Model:
    """The model NAME at OpenAI, or at a `base_url` such as http://127.0.0.1:8000/v1.

    `keys` are the environment's, by variable. `rate` is its price; without a key it is free. Raises
    UsageError for an option out of range, ConfigError where a key is missing.
    """
    import openai  # noqa: F401 - so that it is missed here and now

    if not arg:
        raise UsageError("model 'openai' wants a name: write openai:NAME")
    if temperature is not None and not 0 <= temperature <= 2:
        raise UsageError(f"temperature={temperature} is not within 0 to 2")
    if top_p is not None and not 0 < top_p <= 1:
        raise UsageError(f"top_p={top_p} is not above 0 and at most 1")
    url = _url(base_url)
    at = Endpoint(url, *_key(url, api_key_env, {} if keys is None else keys))
    options: dict[str, Any] = {
        "base_url": None if url == OFFICIAL else url,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "api_key_env": None if url == OFFICIAL and api_key_env == KEY else api_key_env,
    }
    given = [(k, str(v).removesuffix(".0")) for k, v in options.items() if v is not None]
    name = str(Spec("openai", arg, tuple(given)))
    own = Sampling(temperature=temperature, top_p=top_p, seed=seed)
    return OpenAIModel(name, arg, at, own=own, rate=rate if at.key else Rate())


def _url(given: str | None) -> str:
    """A base URL in one spelling. Raises UsageError for what is none, or may hold a key."""
    try:
        parts = urlsplit(given or OFFICIAL)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "base_url must be like http://HOST:PORT/v1 or https://HOST/v1, without a user, a query "
            "or a key: name a key's variable by api_key_env="
        )
    return parts._replace(netloc=parts.netloc.lower()).geturl().rstrip("/")


def _key(
    url: str, named: str | None, keys: Mapping[str, SecretStr]
) -> tuple[SecretStr | None, str]:
    """The key to send, if any, and its variable. Raises ConfigError for one that is not set."""
    name = named or (KEY if url == OFFICIAL else "")
    if not name:
        return None, ""
    key = keys.get(name, SecretStr("")).get_secret_value().strip()
    if not key:
        if not name.endswith("_API_KEY"):
            raise ConfigError(f"{name} is no name for a key: keys are read from NAME_API_KEY only")
        raise ConfigError(f"{name} is not set: set it to a key for {url}")
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"{name} has characters that no key has: set it anew")
    return SecretStr(key), name
