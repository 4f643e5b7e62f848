"""One file per model plugin: `build(arg, *, options…)` gives a `hch.protocols.Model`."""
