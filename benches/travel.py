#!/usr/bin/env python3
"""Measures what a version of long ago costs, beside the latest, of a Delta table with many commits.

    benches/travel.py --program target/demo/lakegate [--commits 5000] [--rounds 5]

The table is written by Python's deltalake: an append a commit, with a checkpoint every hundred, as it does by itself. A figure of `cold` is
the first statement after the gateway's start; one of `hot` is the median of statements that follow. Both are medians of
rounds, in which the latest version and the old one take turns. What is read is `select count(*), sum(n)`, of versions
that have the same files to read: the table is overwritten with one file before either version.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pyarrow as pa
from deltalake import write_deltalake

# How much slower than the latest version an old one may be read.
GOALS = {"cold": 3.0, "hot": 1.25}
HOT_STATEMENTS = 30
START_SECONDS_MAX = 60


def make(lake: Path, n_commits: int) -> int:
    """Makes the table; the old version that is read is in its middle."""
    path = lake / "s" / "t"
    rows = pa.table({"n": pa.array(range(1000), pa.int64())})
    few = pa.table({"n": pa.array([1], pa.int64())})
    middle = n_commits // 2
    for version in range(n_commits):
        is_whole = version in (middle, n_commits - 1)
        mode = "overwrite" if is_whole else "append"
        write_deltalake(path, rows if is_whole else few, mode=mode)
    return middle


def start(program: Path, lake: Path, state: Path) -> tuple[subprocess.Popen, int]:
    arguments = [program, "serve", "--listen", "127.0.0.1:0", "--lake", lake, "--state", state]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if "127.0.0.1:" in line:
            return process, int(line.split("127.0.0.1:")[1].split()[0].strip(".,;/"))
    raise SystemExit("the gateway did not start")


def measure(program: Path, lake: Path, sql: str) -> tuple[float, float]:
    """Milliseconds of the first statement after a start, and of one that follows."""
    state = Path(tempfile.mkdtemp())
    process, port = start(program, lake, state)
    try:
        with psycopg.connect(host="127.0.0.1", port=port, dbname="lake", user="t", autocommit=True) as connection:
            times = []
            for _ in range(1 + HOT_STATEMENTS):
                begun = time.perf_counter()
                connection.execute(sql).fetchall()
                times.append((time.perf_counter() - begun) * 1e3)
        return times[0], statistics.median(times[1:])
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(state)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", type=Path, required=True)
    arguments.add_argument("--commits", type=int, default=5000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--lake", type=Path, help="kept, and made only if it is not there")
    given = arguments.parse_args()
    lake = given.lake or Path(tempfile.mkdtemp())
    middle = given.commits // 2
    if not (lake / "s" / "t").exists():
        make(lake, given.commits)
    query = "select count(*), sum(n) from s.t"
    found: dict[str, list[tuple[float, float]]] = {"latest": [], "old": []}
    for _ in range(given.rounds):
        found["latest"].append(measure(given.program, lake, query))
        found["old"].append(measure(given.program, lake, f"{query} version as of {middle}"))
    failed = False
    for index, name in enumerate(("cold", "hot")):
        latest, old = (statistics.median(times[index] for times in found[of]) for of in ("latest", "old"))
        factor = old / latest
        failed |= factor > GOALS[name]
        print(f"{name}: latest {latest:.1f} ms, version {middle} of {given.commits}: {old:.1f} ms, "
              f"{factor:.2f} times (goal {GOALS[name]})")
    if given.lake is None:
        shutil.rmtree(lake)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
