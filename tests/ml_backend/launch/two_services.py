"""A launch of two services, for tests to interrupt: ``python -m tests.ml_backend.launch.two_services FOLDER HOW``."""

import os
import sys
import time
from pathlib import Path

from ml_backend.errors import LaunchError
from ml_backend.launch.console import Console
from ml_backend.launch.supervisor import Service, Supervisor

WAIT = "import time; print('ready', flush=True); time.sleep(120)"
# Its child outlives it unless the whole of it is stopped.
WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAIT!r}])"
SHOW = "import os, time; print(os.environ['ADDED'], flush=True); time.sleep(120)"
DIE = "import time; time.sleep(1); print('no weights'); raise SystemExit(7)"


def main(folder: Path, how: str) -> int:
    def service(name: str, program: str, *, gated: bool = False) -> Service:
        return Service(name, (sys.executable, "-c", program), dict(os.environ), gated=gated)

    services = [service("first", WITH_CHILD), service("second", DIE if how == "die" else SHOW, gated=how == "gate")]
    if how != "gate":
        os.environ["ADDED"] = "set"
        services = [Service(s.name, s.command, dict(os.environ), s.gated) for s in services]
    supervisor = Supervisor(services, folder, Console())

    def work() -> None:
        if how == "fail":
            raise LaunchError("The work failed.", "Fix it.")
        if how == "break":
            raise RuntimeError("a bug")
        if how == "gate":
            time.sleep(1)
            assert not supervisor.log_of("second").read_text()
            supervisor.open_gate({"ADDED": 'it\'s "quoted" $HOME'})
        (folder / "worked").touch()

    return supervisor.run(work)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
