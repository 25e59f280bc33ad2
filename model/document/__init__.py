"""The typed view of a document, and files in: images, PDF and TIFF pages, JSON."""
