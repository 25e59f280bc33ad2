"""What the project "Business cards" begins with."""

from __future__ import annotations

from pathlib import Path

#: Images that a new project begins with.
DEMONSTRATION_CARDS = Path(__file__).resolve().parents[2] / "model" / "synthetic" / "demo"
