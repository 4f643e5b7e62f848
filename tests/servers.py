"""Real inference servers for tests: vLLM's, from an environment of its own, and llama.cpp's."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

READY_WITHIN = 120.0  # seconds

# Nothing is fetched or reported, and nothing is compiled: that takes longer than a test's requests.
VLLM_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_WAIT_POLICY": "passive",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_SERVER_DEV_MODE": "1",  # for POST /reset_prefix_cache
}

# A weak model fills JSON with white space wherever it is let.
FORMS = {"backend": "xgrammar", "disable_any_whitespace": True}


@dataclass(frozen=True)
class Served:
    """A server that answers under `root`; `url` is what OpenAI's SDK wants, `root` Anthropic's."""

    root: str
    model: str
    key: str = ""

    @property
    def url(self) -> str:
        return f"{self.root}/v1"


@contextmanager
def vllm_server(
    python: str | Path,
    folder: str | Path,
    *,
    key: str = "",
    length: int = 4096,
    adapters: Mapping[str, str | Path] | None = None,
    block_size: int = 32,
    cached_counts: bool = True,
    forms: Mapping[str, object] = FORMS,
    more: Sequence[str] = (),
) -> Iterator[Served]:
    """Serves the model in `folder` as "tiny" by the vLLM of the interpreter `python`.

    `length` is the window in tokens, `block_size` the grain of the prefix cache (32 or a multiple),
    `forms` vLLM's structured-outputs configuration, `more` further flags, such as
    `("--reasoning-parser", "deepseek_r1")`.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    served = Served(f"http://127.0.0.1:{port}", "tiny", key)
    flags = {
        "--model": folder,
        "--served-model-name": served.model,
        "--host": "127.0.0.1",
        "--port": port,
        "--api-key": key,
        "--dtype": "float32",  # greedy text is then the same in every batch
        "--max-model-len": length,
        "--max-num-seqs": 32,
        "--max-lora-rank": 16,
        "--block-size": block_size,
        "--structured-outputs-config": json.dumps(forms),
    }
    module = "vllm.entrypoints.openai.api_server"
    command = [str(python), "-P", "-m", module, "--enforce-eager", "--enable-lora", *more]
    command += ["--enable-prompt-tokens-details"] if cached_counts else []
    command += [part for flag, value in flags.items() if value for part in (flag, str(value))]
    if adapters:
        command += ["--lora-modules", *(f"{name}={path}" for name, path in adapters.items())]
    with running(command, VLLM_ENVIRONMENT) as (process, log):
        wait_until_healthy(served, process, log)
        yield served


@contextmanager
def llama_server(
    weights: str | Path, *, key: str = "", length: int = 1024, slots: int = 4
) -> Iterator[Served]:
    """Serves a GGUF file as "small" by llama.cpp, in this process; `length` is a slot's window."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {"small"}
    params.api_keys = [key] if key else []
    params.n_parallel = slots
    params.n_ctx = slots * length
    params.cpuparams.n_threads = 1
    params.cpuparams.poll = 0
    params.verbosity = -1
    server = xllamacpp.Server(params)  # until it is collected
    yield Served(server.listening_address, "small", key)
    del server


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Runs the command in a process group of its own, which ends with the block or this process."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process, log
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):  # a group may outlive its leader
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)


def wait_until_healthy(served: Served, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), direct.open(f"{served.root}/health", timeout=5):
            return
        time.sleep(0.2)
    log.seek(0)
    last = log.read().decode("utf-8", "replace")[-12_000:]
    raise RuntimeError(f"{served.root} is not ready, exit code {process.poll()}; its log:\n{last}")
