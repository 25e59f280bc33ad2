"""Everything that talks to the world: Label Studio, HTTP, the store, the jobs."""

__version__ = "0.1.0"
