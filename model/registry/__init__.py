"""Model versions and what is noted of them, in MLflow."""
