"""One file per command: `build(app)` adds it to the command line."""
