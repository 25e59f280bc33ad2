"""How good models are: metrics, and the gates that a challenger has to pass."""
