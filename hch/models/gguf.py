"""`gguf:FILE`: a model's weights in a GGUF file, run by llama.cpp in this process.

`parallel` requests are worked on at once, `ctx` tokens (prompt and reply together) are there for
each, `threads` CPU threads for all (default: the machine's cores). `temperature` (0.7), `top_p` and
`seed` hold where a request does not say; the rest of the sampling is llama.cpp's own. Without a
`seed` each request's own is taken, so that another sample path is another sample and the same one
repeats, as far as the engine's batches let it. A form is enforced by a grammar.

The weights are loaded by the first request. llama.cpp also listens on a port of 127.0.0.1, behind a
random key; no request goes that way, and so a reply has no bytes but those put together here.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any

from hch.errors import ConfigError, HchError, ModelError, TransientModelError, UsageError
from hch.models._address import Address
from hch.models._chat import Chat
from hch.models._faults import BadBody, refused
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import Spec
from hch.types import Completion, Request, Sampling

EXTRA = "gguf"

_SEEDS = 2**32 - 1  # the seed after the last would mean a random one
_STREAM: dict[str, Any] = {
    "stream": True,  # so that a reply nobody waits for any more can be stopped
    "stream_options": {"include_usage": True},
    "return_progress": True,
}


@dataclass(frozen=True, slots=True)
class Engine:
    """How llama.cpp runs a file: requests at once, tokens for each, CPU threads (None: cores)."""

    path: str
    parallel: int
    ctx: int
    threads: int | None

    def start(self) -> Any:
        """Load the weights: seconds. Raises ConfigError where llama.cpp cannot."""
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(Path(self.path).expanduser())
        params.n_parallel = self.parallel
        params.n_ctx = self.parallel * self.ctx
        params.n_batch = 512  # how many tokens of prompts pass between two chances to stop
        params.cpuparams.n_threads = self.threads or -1
        params.cpuparams.poll = 0  # threads that spin for each other starve on busy cores
        params.verbosity = -1  # not a line on stderr
        params.api_keys = [secrets.token_hex(16)]
        params.n_threads_http = 1
        params.endpoint_slots = False
        params.ui = False
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ConfigError(
                f"llama.cpp cannot load {self.path}: the file is damaged, of a kind that it does "
                "not know, or too large for the memory"
            ) from error


class GgufModel:
    """One loaded file; a `Model` that is free."""

    keyed = False
    by_hand = False

    def __init__(self, name: str, engine: Engine, own: Sampling) -> None:
        self.name = name
        self.endpoint = f"gguf:{engine.path}"
        self.rate: Rate | None = Rate()
        self.at_once: int | None = engine.parallel
        self._engine = engine
        self._own = own
        self._at = Address(self.endpoint)
        self._lock = Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._server: Any = None

    async def complete(self, request: Request) -> Completion:
        """Answer one request, in a thread. A cancelled one stops at its next token.

        Raises LengthError (the prompt is longer than `ctx`), ModelError, TransientModelError,
        ConfigError (the file cannot be loaded, a seed is out of range).
        """
        chat = self._chat(request)
        sent = chat.body(request, **_STREAM)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._engine.parallel, thread_name_prefix="gguf")
        stop = Event()
        loop = asyncio.get_running_loop()
        try:
            chunks = await loop.run_in_executor(self._pool, self._run, sent, stop)
        finally:
            stop.set()
        try:
            return chat.read(request, _joined(chunks))
        except BadBody as error:
            raise TransientModelError(f"llama.cpp: {error}", kind="bad body") from error

    async def close(self) -> None:
        """Wait for what is in flight and free the weights; the next request loads them again."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(self._free, pool)

    def _free(self, pool: ThreadPoolExecutor) -> None:
        pool.shutdown()
        self._server = None

    def _chat(self, request: Request) -> Chat:
        seed = request.sampling.seed
        if seed is not None and not 0 <= seed < _SEEDS:
            raise ConfigError(f"seed {seed} is not within 0 to {_SEEDS - 1}, as llama.cpp wants it")
        own = self._own
        if own.seed is None:
            own = replace(own, seed=request.seed % _SEEDS)
        return Chat(self._engine.path, own)

    def _run(self, sent: bytes, stop: Event) -> list[dict[str, Any]]:
        """In a thread of the pool: what llama.cpp says, piece by piece, until the end or `stop`."""
        with self._lock:
            if self._server is None:
                self._server = self._engine.start()
        pieces: list[bytes] = []

        def take(piece: bytes) -> bool:
            pieces.append(piece)
            return stop.is_set()

        try:
            self._server.handle_chat_completions(sent, take)
        except (RuntimeError, ValueError) as error:
            message = f"llama.cpp refused the request: {self._at.clean(error)}"
            raise ModelError(message, kind="bad request", ran=False) from error
        chunks = [json.loads(piece) for piece in pieces]
        if chunks and "error" in chunks[0]:
            raise self._refused(chunks[0]["error"])
        return chunks

    def _refused(self, error: dict[str, Any]) -> HchError:
        raw = json.dumps(error).encode()
        return refused(self._at, self._engine.path, int(error.get("code", 500)), {}, raw)


def _joined(chunks: Iterable[dict[str, Any]]) -> bytes:
    """The pieces of a streamed reply as the one object that it would have been unstreamed."""
    message: dict[str, str | None] = {"role": "assistant", "content": ""}
    choice: dict[str, Any] = {"message": message}
    whole: dict[str, Any] = {"choices": [choice]}
    tokens: list[Any] = []
    for chunk in chunks:
        whole |= {name: chunk[name] for name in ("usage", "timings") if name in chunk}
        for piece in chunk["choices"]:
            for name in ("content", "reasoning_content"):
                if text := piece["delta"].get(name):
                    message[name] = (message.get(name) or "") + text
            tokens += (piece.get("logprobs") or {}).get("content") or []
            choice["finish_reason"] = piece["finish_reason"]
    if tokens:
        choice["logprobs"] = {"content": tokens}
    return json.dumps(whole, separators=(",", ":")).encode()


def build(  # noqa: PLR0913 - a plugin's parameters are its options
    arg: str,
    *,
    parallel: int = 8,
    ctx: int = 4096,
    threads: int | None = None,
    temperature: float = 0.7,
    top_p: float | None = None,
    seed: int | None = None,
) -> Model:
    """The model in a file. Raises UsageError for a file that is none, or an option out of range."""
    import xllamacpp  # noqa: F401 - so that it is missed here and now

    for option, value, sound, want in (
        ("parallel", parallel, parallel >= 1, "at least 1"),
        ("ctx", ctx, ctx >= 256, "at least 256"),
        ("threads", threads, threads is None or threads >= 1, "at least 1"),
        ("temperature", temperature, 0 <= temperature <= 2, "within 0 to 2"),
        ("top_p", top_p, top_p is None or 0 < top_p <= 1, "above 0 and at most 1"),
        ("seed", seed, seed is None or 0 <= seed < _SEEDS, f"within 0 to {_SEEDS - 1}"),
    ):
        if not sound:
            raise UsageError(f"{option}={value} is not {want}")
    _check(arg)
    options = {
        "parallel": None if parallel == 8 else parallel,
        "ctx": None if ctx == 4096 else ctx,
        "threads": threads,
        "temperature": None if temperature == 0.7 else temperature,
        "top_p": top_p,
        "seed": seed,
    }
    given = [(k, str(v).removesuffix(".0")) for k, v in options.items() if v is not None]
    name = str(Spec("gguf", arg, tuple(given)))
    own = Sampling(temperature=temperature, top_p=top_p, seed=seed)
    return GgufModel(name, Engine(arg, parallel, ctx, threads), own)


def _check(path: str) -> None:
    try:
        with Path(path).expanduser().open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if start != b"GGUF":
        raise UsageError(f"{path} is not a GGUF file")
