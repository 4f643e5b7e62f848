"""One file per scorer plugin: `build(*, options…)` gives a `hch.protocols.Scorer`."""
