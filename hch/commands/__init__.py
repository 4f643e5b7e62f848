"""One file per command: `build()` returns the function that typer makes a command of."""
