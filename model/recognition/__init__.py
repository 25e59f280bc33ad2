"""PP-OCR's recogniser, taught anew: its backbone stays, the layer that names characters learns in seconds."""
