"""One file per store plugin: `build(arg)` gives a `hch.keeping.Store`."""
