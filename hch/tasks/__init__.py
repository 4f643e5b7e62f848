"""One file per task plugin: `build()` gives a `hch.protocols.Task`."""
