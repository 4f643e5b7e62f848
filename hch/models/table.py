"""A table of answers that an iteration has made, by name: `table:NAME`, as hch iterate prints it.

It answers the question itself, not the prompt round it. What it has no row for, it says it cannot
answer. `sha` holds it to the table that is meant: another one under that name is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hch.amplify import Put, Told
from hch.errors import ConfigError
