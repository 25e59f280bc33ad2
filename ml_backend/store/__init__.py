"""What is kept: tables, the engine, one repository per concern."""
