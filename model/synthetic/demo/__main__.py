"""Write the demonstration cards: ``python -m model.synthetic.demo --out FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

from model.synthetic.demo import write_demo


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m model.synthetic.demo", description=write_demo.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the JPEG files and truth.json")
    write_demo(parser.parse_args().out)


if __name__ == "__main__":
    main()
