"""A run's memory is as large as what is open, however many roots are done; so is a resumed one's.

Every root here says 40,000 characters of its own, so that whoever kept them would be seen at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FEW, MANY = 300, 1500

KEPT = 40_000 * (MANY - FEW) // 1024
"""The KiB of what is said by the roots that the larger run has more than the smaller one."""

RUN = """
import asyncio, os, resource, sys
from hch import HCH, ScriptedModel
from hch.commands._progress import Progress
from hch.examination import Entry, Examination
from hch.types import Question, Text

way, count, store = sys.argv[1], int(sys.argv[2]), sys.argv[3]
said = [0]

def script(request):
    said[0] += 1
    return f"{request.question} " + f"{said[0]:08} " * 4400

model = ScriptedModel(script)
hch = HCH(depth=0, model=model, strategy="direct", store=store, concurrency=8)
names = tuple(f"Which is number {n}?" for n in range(count))
held = Examination(source="x", labels=("x",), expected=names, kinds=names, generated=True)
if way == "resume":
    [row] = hch.kept_in.runs()
    run = hch.resume(row.run)
else:
    questions = [Question(Text(name)) for name in names]
    run = hch.examine(questions, [Entry()], held)
progress = Progress(quiet=False, run=run)
ended = [0]

def watch(event):
    progress.watch(event)
    ended[0] += event.type == "NodeClosed"
    if way == "stop" and ended[0] == count - 50:
        hch.kept_in.flush()
        os._exit(0)

run.watch = watch
asyncio.run(run.end())
hch.kept_in.close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def process(way: str, count: int, store: Path) -> int:
    """The most KiB of memory that a process took for such a run; 0 where it was stopped."""
    words = [sys.executable, "-c", RUN, way, str(count), str(store)]
    done = subprocess.run(words, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout or 0)


@pytest.mark.leaves_open
def test_memory_does_not_grow_with_the_roots_that_are_done(tmp_path: Path) -> None:
    few, many = (process("whole", n, tmp_path / f"{n}.db") for n in (FEW, MANY))
    assert many - few < KEPT // 2


@pytest.mark.leaves_open
def test_nor_does_that_of_a_resume_with_what_is_on_record(tmp_path: Path) -> None:
    peaks = []
    for n in (FEW, MANY):
        process("stop", n, tmp_path / f"{n}.db")
        peaks.append(process("resume", n, tmp_path / f"{n}.db"))
    assert peaks[1] - peaks[0] < KEPT // 2
