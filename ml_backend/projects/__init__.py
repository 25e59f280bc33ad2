"""Which project is meant, its fields and options, and its setup in Label Studio."""
