"""One file per store plugin: `build(arg)` gives a `hch.protocols.Store`."""
