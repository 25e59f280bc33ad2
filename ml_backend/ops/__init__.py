"""Doctor, backup, retention, locks."""
