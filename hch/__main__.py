"""`python -m hch` is the console script `hch`."""

from hch.cli import main

if __name__ == "__main__":
    main()
