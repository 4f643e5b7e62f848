"""The console script: finds the command that was asked for, and turns errors into exit codes.

0  answered and clean                  5  the store
1  root unanswered or failed; a bug    6  keys, configuration, a missing extra, a dead endpoint
2  flags, names, unreadable input      7  a replay diverged
3  bill exhausted, or root truncated   129, 130, 143  stopped by SIGHUP, Ctrl-C, SIGTERM
4  answered, but not clean
"""

from __future__ import annotations

import sys


def run(arguments: list[str] | tuple[str, ...]) -> int:
    """Run one command line; its exit code. Bugs come out as themselves."""
    from hch.commands import _application

    return _application.run(arguments)


def main() -> None:
    """The console script `hch`. It imports inside, so that Ctrl-C ends it in silence from here."""
    try:
        import gc

        from hch.commands._terminal import confess, keep_streams_apart

        keep_streams_apart()
        sys.excepthook = confess
        gc.set_threshold(50_000, 50, 1000)  # what a run makes is kept to its end: no use collecting
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
