"""`python -m benchmarks [--only NAME]`: measures, writes benchmarks/results.json and results.md, prints the table."""

import argparse
import importlib
import os
import subprocess
import sys

from benchmarks.results import merge, table

# Read once, when NumPy and PyTorch are loaded: one thread, so that CPU time is the time of the work itself.
THREADS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "OMP_WAIT_POLICY": "passive",
}
BENCHMARKS = (
    "encoders",
    "rerank",
    "million",
    "state",
    "many_studies",
    "diverse_batch",
    "cold_start",
    "explanations",
    "key_to_paint",
    "contrast_drag",
    "grid",
    "submit_and_next",
    "load",
    "answer_to_queue",
    "ingest",
    "audit_trail",
    "agreement",
    "agreement_pages",
    "pipeline",
)


def main() -> int:
    """Exit code 0 when every benchmark ran, whether or not its targets are met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, help="run this one and replace its rows only")
    only = parser.parse_args().only
    os.environ.update(THREADS)
    return run(only) if only else run_all()


def run(name: str) -> int:
    """Measure one benchmark in this process."""
    rows = importlib.import_module(f"benchmarks.{name}").measure()
    records = merge(name, rows, BENCHMARKS)
    print(table([record for record in records if record["name"].startswith(f"{name}/")]), flush=True)
    return 0


def run_all() -> int:
    """Measure each benchmark in a process of its own, so that none inherits the other's memory or settings."""
    failed = [name for name in BENCHMARKS if _run_apart(name)]
    for name in failed:
        print(f"{name} did not finish; its error stands above", file=sys.stderr)
    return 1 if failed else 0


def _run_apart(name: str) -> int:
    print(f"\n## {name}", flush=True)
    return subprocess.run([sys.executable, "-m", "benchmarks", "--only", name], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
