"""Arithmetic that decides which document a person should see next. Knows numpy, not torch and not the web."""
