"""Annotations and feedback in; training runs, evaluation and promotion out."""
