"""Processes set apart as those of a container are, by the kernel's own means and without an engine."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

#: Whom they think they are.
USER = 10001

# Everything becomes read-only but what is named, and /proc shows the processes of the container. Then rights go: the
# second user namespace knows one user, who is not root and may do nothing that others may not.
_SET_UP = f"""
hostname "$CONTAINER_NAME"
for folder in $CONTAINER_FOLDERS; do mount --bind "$folder" "$folder"; done
for folder in $(awk '$5 !~ "^/(proc|sys|dev|run)(/|$)" {{ print $5 }}' /proc/self/mountinfo | sort --unique); do
    case " $CONTAINER_FOLDERS " in *" $folder "*) ;; *) mount -o remount,bind,ro "$folder" 2>/dev/null || true ;; esac
done
exec unshare --user --map-user={USER} --map-group={USER} -- "$@"
"""
_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--uts", "--pid", "--fork", "--kill-child")


@cache
def isolates() -> bool:
    """Tell whether this machine lets its user set processes apart."""
    try:
        command = [*_UNSHARE, "--mount-proc", "unshare", "--user", f"--map-user={USER}", "true"]
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@dataclass
class Container:
    """A process that is number 1, not root, and may write to some folders only.

    Attributes:
        name: What it takes for the name of its machine.
        environment: All of its environment.
        folders: What it may write to.
        workdir: Where it runs.
        log: Where it writes what it says.
    """

    name: str
    environment: Mapping[str, str]
    folders: Sequence[Path]
    workdir: Path
    log: Path
    outer: "subprocess.Popen[bytes] | None" = None

    def start(self, command: Sequence[str]) -> None:
        """Start the process."""
        given = {"CONTAINER_NAME": self.name, "CONTAINER_FOLDERS": " ".join(map(str, self.folders))}
        setting_up = ("--mount-proc", "sh", "-euc", _SET_UP, "set-up")
        with self.log.open("ab") as log:
            self.outer = subprocess.Popen(
                [*_UNSHARE, *setting_up, *command],
                env={**self.environment, **given},
                cwd=self.workdir,
                stdout=log,
                stderr=log,
            )

    def run(self, command: Sequence[str], seconds: float = 60) -> int:
        """Start the process and wait for its end; its exit status."""
        self.start(command)
        assert self.outer is not None
        try:
            return self.outer.wait(seconds)
        finally:
            self.kill()

    @property
    def pid(self) -> int:
        """The number of the process as the machine sees it."""
        assert self.outer is not None
        (first,) = psutil.Process(self.outer.pid).children()
        return first.pid

    def execute(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        """Run a second process in the same container."""
        enter = ("nsenter", f"--target={self.pid}", "--user", "--mount", "--uts", "--pid", "--preserve-credentials")
        return subprocess.run(
            [*enter, f"--wd={self.workdir}", *command],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def stop(self, seconds: float) -> float:
        """Send SIGTERM to the process, as an engine does, and wait for its end; how long that took, in seconds.

        Raises:
            subprocess.TimeoutExpired: If it did not end.
        """
        assert self.outer is not None
        start = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        self.outer.wait(seconds)
        return time.monotonic() - start

    def kill(self) -> None:
        """End whatever is left."""
        if self.outer is not None and self.outer.poll() is None:
            self.outer.kill()
            self.outer.wait(20)
