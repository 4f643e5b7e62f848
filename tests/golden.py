"""Makes the traces in traces/examples anew, by the real command and a small real model.

python -m tests.golden WEIGHTS.gguf [NAME]…
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent.parent / "traces" / "examples"

SMALL = ("--answer-tokens", "96", "-m", "gguf:{model}")

ASKED: dict[str, tuple[str, ...]] = {
    "script-arithmetic": (
        *("What is ((2+3)*(4-1))-((6*7)+(8-5))?", "--depth", "3"),
        *("-s", "script"),
    ),
    "factored-cut-refused": (
        *("Which is larger, the Moon or the Earth, and by how much?", "--depth", "2"),
        *("-s", "factored", "--fanout", "2", "--seed", "1", *SMALL),
    ),
    "consult-failed": (
        *("What do a violin and a guitar have in common?", "--depth", "1"),
        *("-s", "consult", "--fanout", "3", "--seed", "2", *SMALL),
    ),
}
"""By name, what is asked."""


def make(name: str, weights: Path) -> None:
    """Ask, beside the weights, so that the trace names them by their file's name; and export."""
    with TemporaryDirectory() as folder:
        store = ("--store", str(Path(folder, "golden.db")))
        command = [sys.executable, "-m", "hch"]
        words = [word.format(model=weights.name) for word in ASKED[name]]
        asked = [*command, "ask", *words, *store, "--json"]
        done = subprocess.run(asked, cwd=weights.parent, stdout=subprocess.PIPE, check=False)
        run = json.loads(done.stdout)["run"]
        to = FOLDER / f"{name}.jsonl"
        subprocess.run([*command, "export", run, *store, "--force", "-o", str(to)], check=True)


if __name__ == "__main__":
    for wanted in sys.argv[2:] or ASKED:
        make(wanted, Path(sys.argv[1]).resolve())
