"""A task in, a prediction out; which model version serves."""
