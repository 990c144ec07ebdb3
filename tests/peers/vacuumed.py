#!/usr/bin/env python3
"""What nobody reads any more of a stored view is taken away, and everything else stays and is read.

    python3 vacuumed.py --program PATH [--seed N]

A view is refreshed some 130 times, more than versions are remembered. One gateway has read it at its beginning and not since. Then time passes:
the files of its table are given times of hours or days ago. The next refresh by a process that has not looked yet must leave the rows of the
versions that are remembered, take away those before and files that no version has, but no young ones of these, and cut the log behind a checkpoint.
All gateways give what DuckDB finds in the table, now and at versions before, and Python's deltalake reads the stored table.
"""

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

from deltalake import DeltaTable
from failpoints import ENDED_SECONDS_MAX, World, check, is_stored
from program import Program

VIEW = "m.counted"
N_REFRESHES = 130
# Of versions before the latest, and what is remembered without them.
N_REMEMBERED = 100
HOUR = 3600


def age(folder: Path, seconds: int) -> None:
    """Files of a folder are so much older."""
    for path in folder.rglob("*"):
        if path.is_file():
            stat = path.stat()
            os.utime(path, (stat.st_atime - seconds, stat.st_mtime - seconds))


def rows_of(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("part-*.parquet")}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LAKEGATE_TEST_SEED") or random.randrange(10**6)))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lakegate-vacuumed-") as name:
        world = World(Path(name), random.Random(arguments.seed))
        state = Path(name) / "state"
        program = Program(arguments.program, [*world.flags[:-1], str(state)])
        try:
            vacuumed(world, program, state / "materialized" / VIEW.replace(".", "/"))
        finally:
            program.stop()


def vacuumed(world: World, program: Program, folder: Path) -> None:
    _, witness = program.serve({})
    _, late = program.serve({})
    made_of = []
    for number in range(N_REFRESHES):
        witness.execute(f"refresh materialized view {VIEW}")
        made_of.append(DeltaTable(world.table).version())
        if number == 3:
            check(late, VIEW, world.right(VIEW), "by who is late, at the beginning")
        world.change()
        while DeltaTable(world.table).version() == made_of[-1]:
            world.change()
    latest = DeltaTable(folder).version()
    assert latest == N_REFRESHES - 1, latest
    by_version = [{Path(path).name for path in DeltaTable(folder, version=version).file_uris()} for version in range(latest + 1)]
    left = folder / "part-00000-left-over.parquet"
    left.write_bytes(b"of a refresh that was killed")

    def refreshed(where: str) -> None:
        process = program.start("refresh", {}, VIEW)
        assert process.wait(ENDED_SECONDS_MAX) == 0, process.stdout.read()
        assert is_stored(witness, VIEW), where
        for session in (witness, late):
            check(session, VIEW, world.right(VIEW), where)

    # All is young: nothing goes.
    refreshed("while all is young")
    assert rows_of(folder) >= set().union(*by_version) | {left.name}
    world.change()
    # Two hours later versions that are not remembered go, and what may be of a refresh that still runs stays.
    age(folder, 2 * HOUR)
    refreshed("after two hours")
    latest = DeltaTable(folder).version()
    kept = set().union(*by_version[latest - N_REMEMBERED:])
    gone = set().union(*by_version[:latest - N_REMEMBERED]) - kept
    assert len(gone) > 20 and not gone & rows_of(folder), len(gone & rows_of(folder))
    assert kept | {left.name} <= rows_of(folder), kept - rows_of(folder)
    commits = sorted(int(path.stem) for path in (folder / "_delta_log").glob("*.json"))
    print(f"version {latest}: {len(gone)} files went, {len(rows_of(folder))} are there; commits {commits[0]} to {commits[-1]}")
    assert 0 < commits[0] <= latest - N_REMEMBERED and commits == list(range(commits[0], latest + 1)), commits
    # A day later that is of nobody.
    age(folder, 24 * HOUR)
    world.change()
    refreshed("after a day")
    assert left.name not in rows_of(folder)
    # Earlier versions of the table, whether rows of them are still there or not.
    n_stored = 0
    for version in [made_of[0], made_of[10], made_of[-95], made_of[-50], made_of[-1]]:
        for session in (witness, late):
            query = f"{VIEW} version as of {version}"
            n_stored += is_stored_of(session, query)
            check(session, query, world.right(VIEW, version), f"version {version}")
    print(f"{n_stored} of 10 readings of earlier versions were of stored rows alone")
    assert n_stored == 6, n_stored
    world.check_folder(folder, VIEW, DeltaTable(folder).version() - N_REMEMBERED + 1)


def is_stored_of(session, query: str) -> bool:
    lines = session.execute(f"explain select * from {query}").fetchall()
    return any(line.startswith(f"Materialized View: {VIEW} (") and "file" not in line for (line,) in lines)


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"{time.monotonic() - started:.0f} s")
