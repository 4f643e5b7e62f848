"""The screens in the docs are those of today's browser, and show nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.tour import INTO, ROOT

XMLNS = "http://www.w3.org/2000/svg"
"""The only address in a picture: the name of its format."""


def test_the_screens_in_the_docs_are_those_that_are_made_now(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.tour", "--into", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True)
    made, kept = ({path.name: path.read_text() for path in at.iterdir()} for at in (tmp_path, INTO))
    stale = [name for name in made if made[name] != kept.get(name)]
    assert (stale, set(kept) - set(made)) == ([], set()), "make tour makes them anew"
    assert all(set(re.findall(r"[a-z]+://[^\"' )]+", svg)) == {XMLNS} for svg in kept.values())
