"""Everything that knows Label Studio: its API, its labelling configurations, its regions and its image addresses."""
