"""`python -m hch` is the console script `hch`."""

from hch.cli import main

main()
