"""The store's schema, step by step; run at every start (see :mod:`ml_backend.store.engine`)."""
