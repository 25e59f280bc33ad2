"""Label Studio's own environment: its pins of redis, rq and the SDK differ from ours."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from ml_backend.errors import BackendError, LaunchError
from ml_backend.launch.console import Console

LABEL_STUDIO_VERSION = "1.23.2"
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / ".venv-label-studio"


def ensure_label_studio(folder: Path, console: Console) -> Path:
    """Return Label Studio's executable in ``folder``, installing it there first if it is missing.

    A mark is written after a complete installation, so that one that was cut off is finished the next time.

    Raises:
        LaunchError: If it cannot be installed.
    """
    executable = folder / "bin" / "label-studio"
    mark = folder / ".installed"
    if mark.exists() and mark.read_text(encoding="utf-8").strip() == LABEL_STUDIO_VERSION and executable.exists():
        return executable.absolute()
    console.say(f"Installing Label Studio {LABEL_STUDIO_VERSION} into {folder} (once; some minutes without a cache)")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True, symlinks=True)
    # Compiled when first imported: of the many modules installed, few are.
    flags = ("--disable-pip-version-check", "--no-input", "--progress-bar", "on", "--no-compile")
    command = [str(python), "-m", "pip", "install", *flags, f"label-studio=={LABEL_STUDIO_VERSION}"]
    status = subprocess.run(command, check=False).returncode  # noqa: S603 - our own words
    if status != 0 or not executable.exists():
        raise LaunchError(
            f"Label Studio could not be installed into {folder}; pip ended with status {status}.",
            "See pip's lines above; or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY to use one that runs already.",
        )
    mark.write_text(f"{LABEL_STUDIO_VERSION}\n", encoding="utf-8")
    return executable.absolute()


def main() -> int:
    """Install Label Studio into its default folder; ``make test`` calls this before the tests start."""
    console = Console()
    try:
        ensure_label_studio(DEFAULT_FOLDER, console)
    except BackendError as error:
        console.write(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
