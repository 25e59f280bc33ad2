"""Does the self-learning API keep what its description promises, whatever is sent?

Generates requests from the OpenAPI description (schemathesis), valid and invalid ones, and looks at each answer: no
status of 500 or above but a documented 502 or 503, no status, content type or body that is not described, nothing
answered without the token, nothing invalid accepted.

    python benchmarks/api_fuzz.py --cases 5000

calls an application within this process, with real services, store and images, and without a Label Studio;

    python benchmarks/api_fuzz.py --cases 5000 --url http://127.0.0.1:9090 --token-file .run/secrets.json

calls one that runs, with all that is behind it. It writes into that system's store and Label Studio: not one in use.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode

from ml_backend.observability.logs import configure_logging

LEARNING = "/api/self-learning"
#: What is looked at in every answer.
CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
    "unsupported_method",
)


class Tally:
    """Counts answers and failures; a failure of a kind is shown once."""

    def __init__(self) -> None:
        self.cases = 0
        self.statuses: Counter[int] = Counter()
        self.failures: dict[str, str] = {}
        self.failed = 0
        self.slowest = 0.0

    def look_at(self, case: Any, call: Callable[[], Any], validate: Callable[[Any], None]) -> None:
        start = time.perf_counter()
        response = call()
        self.slowest = max(self.slowest, time.perf_counter() - start)
        self.cases += 1
        self.statuses[response.status_code] += 1
        try:
            validate(response)
            if response.status_code >= 500 and response.status_code not in (502, 503):
                raise AssertionError(f"status {response.status_code}")
        except (FailureGroup, AssertionError) as error:
            self.failed += 1
            said = "; ".join(str(each) for each in getattr(error, "exceptions", [error]))
            key = f"{case.method} {case.path}: {said.splitlines()[0][:150]}"
            self.failures.setdefault(key, f"{said[:1500]}\n{case.as_curl_command()[:1500]}")


def fuzz(schema: Any, tally: Tally, token: str, *, cases: int, start: int, seconds: float = float("inf")) -> None:
    """Send ``cases`` requests, as many to each operation, in an order by chance; two thirds of them are valid."""
    end = time.perf_counter() + seconds
    load_all_checks()
    from schemathesis import checks

    chosen = checks.CHECKS.get_by_names(list(CHECKS))
    operations = [each.ok() for each in schema.get_all_operations()]
    # Where time runs out, it is not always the same ones that are left out.
    random.Random(start).shuffle(operations)
    headers = {"Authorization": f"Bearer {token}"}
    for operation in operations:
        for mode, share in ((GenerationMode.POSITIVE, 2 / 3), (GenerationMode.NEGATIVE, 1 / 3)):
            each = max(2, round(cases * share / len(operations)))
            limits = settings(
                max_examples=each,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )

            @seed(start)
            @limits
            @given(case=operation.as_strategy(generation_mode=mode))
            def look(case: Any) -> None:
                if time.perf_counter() > end:
                    return
                tally.look_at(
                    case,
                    lambda: case.call(headers=headers),
                    lambda response: case.validate_response(response, checks=chosen, headers=headers),
                )

            if time.perf_counter() > end:
                return
            look()


def report(tally: Tally, seconds: float) -> int:
    """Print what was found; return the exit status."""
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items()))
    print(f"{tally.cases} cases in {seconds:.0f} s, slowest answer {tally.slowest:.2f} s")
    print(f"answers by status: {statuses}")
    print(f"{tally.failed} cases failed")
    for name, said in tally.failures.items():
        print(f"\n--- {name}\n{said}")
    return 1 if tally.failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="send nothing more after so long")
    parser.add_argument("--url", help="address of a backend that runs; none: an application within this process")
    parser.add_argument("--token-file", type=Path, help="secrets.json of its RUN_DIR")
    arguments = parser.parse_args()
    configure_logging("CRITICAL")
    tally, start = Tally(), time.perf_counter()
    if arguments.url:
        token = json.loads(arguments.token_file.read_text(encoding="utf-8"))["api_token"]
        schema = schemathesis.openapi.from_url(
            f"{arguments.url}{LEARNING}/openapi.json", headers={"Authorization": f"Bearer {token}"}
        )
        fuzz(schema, tally, token, cases=arguments.cases, start=arguments.seed, seconds=arguments.seconds)
    else:
        from ml_backend.settings import Settings
        from tests.ml_backend.api_backend import TOKEN, build_api

        with tempfile.TemporaryDirectory() as folder:
            app, _ = build_api(Settings(_env_file=None, run_dir=Path(folder), api_token=TOKEN))
            described = app.test_client().get(f"{LEARNING}/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"})
            schema = schemathesis.openapi.from_dict(described.json)
            schema.app = app
            fuzz(schema, tally, TOKEN, cases=arguments.cases, start=arguments.seed, seconds=arguments.seconds)
    return report(tally, time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
