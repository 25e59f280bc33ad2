"""Bringing the whole system up on one machine: Redis, worker, backend, Label Studio, and the project in it."""
