"""One file per strategy plugin: `build(*, options…)` gives a `hch.protocols.Strategy`."""
