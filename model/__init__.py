"""Image in, entities out: reading, extraction and everything that trains them. Knows no web and no database."""
