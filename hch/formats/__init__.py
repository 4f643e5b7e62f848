"""One file per kind of training row: `build(*, options…)` gives a `hch.protocols.Format`."""
