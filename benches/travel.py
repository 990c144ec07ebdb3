#!/usr/bin/env python3
"""Measures what a version of long ago costs, beside the latest, of a Delta table with many commits.

    benches/travel.py --program target/demo/lakegate [--commits 5000] [--rounds 5]

The table is written by Python's deltalake: an append a commit, with a checkpoint every hundred, as it does by itself. A figure of `cold` is
the first statement after the gateway's start; one of `hot` is the median of statements that follow and are run, one of `kept` of
those whose answer is kept. They are medians of rounds, in which the latest version and the old one take turns. What is read is `select count(*), sum(n)`, of versions
that have the same files to read: the table is overwritten with one file before either version.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import psycopg
import pyarrow as pa
from cache import milliseconds, start
from deltalake import write_deltalake

# How much slower than the latest version an old one may be read.
GOALS = {"cold": 3.0, "hot": 1.25, "kept": 1.25}
HOT_STATEMENTS = 200
# The old version is so many commits behind a checkpoint.
COMMITS_BEHIND = 50


def old_version(n_commits: int) -> int:
    """The version that is read, in the middle of the table's history and between two checkpoints."""
    return n_commits // 2 + COMMITS_BEHIND


def make(lake: Path, n_commits: int) -> None:
    path = lake / "s" / "t"
    rows = pa.table({"n": pa.array(range(1000), pa.int64())})
    few = pa.table({"n": pa.array([1], pa.int64())})
    old = old_version(n_commits)
    for version in range(n_commits):
        is_whole = version in (old, n_commits - 1)
        mode = "overwrite" if is_whole else "append"
        write_deltalake(path, rows if is_whole else few, mode=mode)


def measure(program: Path, lake: Path, sql: str) -> tuple[float, float, float]:
    """Milliseconds of the first statement after a start, of one that follows and is run, and of one whose answer is kept."""
    state = Path(tempfile.mkdtemp())
    process, port = start(program, lake, state)
    try:
        with psycopg.connect(host="127.0.0.1", port=port, dbname="lake", user="t", autocommit=True) as connection:
            run = lambda: connection.execute(sql).fetchall()
            cold = milliseconds(run)
            kept = statistics.median(milliseconds(run) for _ in range(HOT_STATEMENTS))
            connection.execute("set lakegate.result_cache = off")
            hot = statistics.median(milliseconds(run) for _ in range(HOT_STATEMENTS))
        return cold, hot, kept
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
    old_one = old_version(given.commits)
    if not (lake / "s" / "t").exists():
        make(lake, given.commits)
    query = "select count(*), sum(n) from s.t"
    found: dict[str, list[tuple[float, float, float]]] = {"latest": [], "old": []}
    for _ in range(given.rounds):
        found["latest"].append(measure(given.program, lake, query))
        found["old"].append(measure(given.program, lake, f"{query} version as of {old_one}"))
    failed = False
    for index, name in enumerate(GOALS):
        latest, old = (statistics.median(times[index] for times in found[of]) for of in ("latest", "old"))
        factor = old / latest
        failed |= factor > GOALS[name]
        print(f"{name}: latest {latest:.2f} ms, version {old_one} of {given.commits}: {old:.2f} ms, "
              f"{factor:.2f} times (goal {GOALS[name]})")
    if given.lake is None:
        shutil.rmtree(lake)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
