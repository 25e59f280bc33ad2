"""What applications and the panel ask of the learning loop: one service a concern, typed, without the web."""
