"""PP-OCR's recogniser, taught again: its backbone stays, the layer that names characters learns in seconds."""
