#!/usr/bin/env python3
"""Gateways that are killed before and after every write of a refresh, two at once: the view is right afterwards, and is refreshed.

    python3 failpoints.py --program PATH [--seed N] [--rounds N]

The state folder is a store (store.py) that kills a gateway, by SIGKILL, at the n-th of its writes below the stored views: before anything of it
is stored, or when all of it is. In each round the table below is changed by Python's deltalake. Then two gateways, which are refreshing processes
or servers that are told REFRESH, refresh the same view. They wait for each other at one of their writes, so that they do race; the first is killed
at each point in turn, the second at one by chance, or not. Then
* a third gateway, which has seen all before, and a new one give what DuckDB finds in the table;
* of every version that was stored, Python's deltalake reads the rows that DuckDB finds in the version of the table that it says it was made of,
  and no two versions in a row were made of the same;
* a refresh works, and what it stored is read.
"""

import argparse
import json
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from program import Program
from store import Door, Fault, Store

WORDS = ["red", "green", "blue", None]
# Views with what makes the same of the table: one is made of what came and went, the other always as a whole.
VIEWS = {
    "m.counted": "select word, count(*) as n, sum(id) as total, max(id) as most from {table} group by word",
    "m.distinct": "select word, count(distinct id) as n from {table} group by word",
}
ENDED_SECONDS_MAX = 60
DAY_SECONDS = 24 * 3600
# Of stored tables.
CHECKPOINT_EVERY = 10
# So many versions before the latest are remembered.
N_REMEMBERED = 100


class World:
    """A table, the store of what is kept, and what is to be in the views."""

    def __init__(self, folder: Path, chance: random.Random):
        self.chance = chance
        self.table, self.store = folder / "lake/s/t", Store(folder / "stores")
        (folder / "stores/kept").mkdir(parents=True)
        (folder / "views/m").mkdir(parents=True)
        for view, query in VIEWS.items():
            text = f"create materialized view {view} with (refresh = 'manual') as {query.format(table='s.t')};"
            (folder / f"views/{view.replace('.', '/')}.sql").write_text(text)
        write_deltalake(self.table, self.rows(40))
        self.flags = ["--lake", str(folder / "lake"), "--views", str(folder / "views"), "--state", "s3://kept/state"]
        self.made: dict[tuple[str, int], Counter] = {}

    def rows(self, n_rows: int) -> pa.Table:
        ids = [self.chance.randrange(1000) for _ in range(n_rows)]
        return pa.table({"id": pa.array(ids, pa.int64()), "word": pa.array([self.chance.choice(WORDS) for _ in ids], pa.string())})

    def change(self) -> str:
        done = self.chance.choice(["append", "append", "append", "delete", "update", "overwrite"])
        match done:
            case "append":
                write_deltalake(self.table, self.rows(self.chance.randint(1, 9)), mode="append")
            case "delete":
                DeltaTable(self.table).delete(f"id % 7 = {self.chance.randrange(7)}")
            case "update":
                DeltaTable(self.table).update(updates={"word": "'red'"}, predicate=f"id % 9 = {self.chance.randrange(9)}")
            case "overwrite":
                write_deltalake(self.table, self.rows(30), mode="overwrite")
        return done

    def right(self, view: str, version: int | None = None) -> Counter:
        """What DuckDB finds in the table."""
        version = DeltaTable(self.table).version() if version is None else version
        if (view, version) not in self.made:
            rows = DeltaTable(self.table, version=version).to_pyarrow_table()
            with duckdb.connect() as connection:
                connection.register("t", rows)
                self.made[view, version] = bag(connection.execute(VIEWS[view].format(table="t")).fetchall())
        return self.made[view, version]

    def folder_of(self, view: str) -> Path:
        return self.store.folder / "kept/state/materialized" / view.replace(".", "/")

    def check_versions(self, view: str, since: int) -> int:
        """What every stored version from this one on has and says; the next one."""
        return self.check_folder(self.folder_of(view), view, since)

    def check_folder(self, folder: Path, view: str, since: int) -> int:
        latest = DeltaTable(folder).version()
        said = {}
        for version in range(max(since - 1, 0), latest + 1):
            stored = DeltaTable(folder, version=version)
            said[version] = said_of(folder, version)
            source = int(said[version]["inputs"][0]["version"].removeprefix("v"))
            columns = [column["stored"] for column in said[version]["columns"]]
            rows = stored.to_pyarrow_table().select(columns).to_pylist()
            given, right = bag(row.values() for row in rows), self.right(view, source)
            assert given == right, f"{view}: version {version}, of version {source}: {given - right} is not {right - given}"
            before = said.get(version - 1)
            assert before is None or before["state"] != said[version]["state"], f"{view}: version {version} was stored for nothing"
        return latest + 1

    def n_left(self, view: str) -> int:
        """Files of rows that no version of the view's table has."""
        folder = self.folder_of(view)
        named = set()
        for version in range(DeltaTable(folder).version() + 1):
            # Before what is remembered the log goes as well.
            with suppress(DeltaError):
                named |= {Path(path).name for path in DeltaTable(folder, version=version).file_uris()}
        return sum(path.name not in named for path in folder.glob("*.parquet"))


def said_of(folder: Path, version: int) -> dict:
    """What the commit of a version says of it."""
    lines = (folder / f"_delta_log/{version:020}.json").read_text().splitlines()
    return next(action["commitInfo"]["lakegate"] for action in map(json.loads, lines) if "commitInfo" in action)


def bag(rows) -> Counter:
    return Counter(tuple(None if value is None else str(value) for value in row) for row in rows)


class Racer:
    """A gateway that refreshes a view, and may be killed meanwhile."""

    def __init__(self, program: Program, door: Door, view: str, is_server: bool):
        self.door, self.is_server, self.error = door, is_server, None
        environment = door.environment()
        if is_server:
            self.process, self.session = program.serve(environment)
        else:
            self.process = program.start("refresh", environment, view)
        door.pid = self.process.pid
        self.thread = threading.Thread(target=self.refresh, args=(view,), daemon=True)

    def refresh(self, view: str) -> None:
        try:
            if self.is_server:
                self.session.execute(f"refresh materialized view {view}")
            else:
                told, _ = self.process.communicate()
                self.error = told if self.process.returncode else None
        except psycopg.Error as error:
            self.error = str(error)
        self.door.leave()

    def end(self, where: str) -> bool:
        """Whether it was killed. If it was not, it has done what it was to do."""
        self.thread.join(ENDED_SECONDS_MAX)
        assert not self.thread.is_alive(), f"{where}: a refresh does not end"
        if self.is_server and not self.door.fault.is_reached:
            self.session.close()
            self.process.terminate()
        self.process.wait(ENDED_SECONDS_MAX)
        killed = self.process.returncode == -signal.SIGKILL
        assert killed == self.door.fault.is_reached, f"{where}: {self.process.returncode}"
        assert killed or self.error is None, f"{where}: {self.error}"
        return killed


def point(chance: random.Random, n_writes: int) -> tuple[int, bool]:
    """One at which a refresh may be killed; the writes are counted from 1, and 0 is never reached."""
    return chance.randint(0, n_writes), chance.random() < 0.5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LAKEGATE_TEST_SEED") or random.randrange(10**6)))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("LAKEGATE_TEST_KILLS") or 20))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="lakegate-failpoints-") as folder:
        world = World(Path(folder), chance)
        program = Program(arguments.program, world.flags)
        try:
            rounds(world, program, chance, arguments)
        finally:
            program.stop()


def rounds(world: World, program: Program, chance: random.Random, arguments) -> None:
    door = Door(world.store)
    _, witness = program.serve(door.environment())
    # How many writes a refresh makes, where nothing comes between: for the table, and for what comes to it.
    n_writes = 0
    for _ in range(2):
        for view in VIEWS:
            before = door.fault.n_writes
            witness.execute(f"refresh materialized view {view}")
            n_writes = max(n_writes, door.fault.n_writes - before)
        world.change()
    assert n_writes >= 2, "rows and a commit are written"
    points = [(at, is_after) for at in range(1, n_writes + 1) for is_after in (False, True)]
    counts: Counter = Counter()
    checked = dict.fromkeys(VIEWS, 0)
    for number in range(arguments.rounds):
        view = chance.choice(list(VIEWS))
        done = world.change()
        # A checkpoint is written behind some commits, and the name of the last one.
        has_checkpoint = (DeltaTable(world.folder_of(view)).version() + 2) % CHECKPOINT_EVERY == 0
        at = (chance.randint(n_writes + 1, n_writes + 2), chance.random() < 0.5) if has_checkpoint else points[number % len(points)]
        others = point(chance, n_writes + 2 if has_checkpoint else n_writes)
        where = f"seed {arguments.seed}, round {number}: {view} after {done}, killed at {at} and {others}"
        meeting, meets_at = threading.Barrier(2), chance.randint(1, n_writes)
        racers = []
        for at_write, is_after in (at, others):
            fault = Fault(at_write, is_after, meets_at, meeting)
            racers.append(Racer(program, Door(world.store, fault=fault), view, chance.random() < 0.3))
        for racer in racers:
            racer.thread.start()
        killed = [racer.end(where) for racer in racers]
        for (at_write, is_after), was_killed in zip((at, others), killed):
            counts[f"killed {'after' if is_after else 'before'} write {at_write}" if was_killed else "not killed"] += 1
        right = world.right(view)
        check(witness, view, right, f"{where}, by who saw all")
        counts["stored by one of them"] += is_stored(witness, view)
        if world.chance.random() < 0.3:
            process, session = program.serve(Door(world.store).environment())
            check(session, view, right, f"{where}, by a new gateway")
            session.close()
            process.kill()
        # A refresh after it works, by one that has seen all or by a new one.
        if chance.random() < 0.5:
            witness.execute(f"refresh materialized view {view}")
        else:
            process = program.start("refresh", Door(world.store).environment(), view)
            assert process.wait(ENDED_SECONDS_MAX) == 0, f"{where}: {process.stdout.read()}"
        assert is_stored(witness, view), f"{where}: what was refreshed is not read"
        check(witness, view, right, f"{where}, refreshed")
        checked[view] = world.check_versions(view, checked[view])
    for key, count in sorted(counts.items()):
        print(key, count)
    left = {view: world.n_left(view) for view in VIEWS}
    print("files left over by gateways that were killed", left)
    # Every point was reached, if there were as many rounds.
    names = {f"killed {'after' if is_after else 'before'} write {at}" for at, is_after in points}
    assert names <= set(counts) or arguments.rounds < 2 * len(points), counts
    assert sum(left.values()) > 0, "who is killed before the commit leaves its files"
    taken_away(world, program, witness, f"seed {arguments.seed}")


def taken_away(world: World, program: Program, witness: psycopg.Connection, where: str) -> None:
    """Two days later what was left over is of nobody: it goes, also where the gateway that does it is killed at that."""
    for view in VIEWS:
        for path in world.folder_of(view).rglob("*.*"):
            os.utime(path, (time.time() - 2 * DAY_SECONDS,) * 2)
        while world.change() not in ("append", "overwrite"):
            pass
        has_checkpoint = (DeltaTable(world.folder_of(view)).version() + 2) % CHECKPOINT_EVERY == 0
        door = Door(world.store, fault=Fault(5 if has_checkpoint else 3, world.chance.random() < 0.5))
        racer = Racer(program, door, view, is_server=False)
        n_left = world.n_left(view)
        racer.thread.start()
        assert racer.end(where) or n_left == 0, f"{where}: nobody came to take away {n_left} files of {view}"
        check(witness, view, world.right(view), f"{where}, when what was left over was being taken away")
    while world.change() not in ("append", "overwrite"):
        pass
    process = program.start("refresh", Door(world.store).environment(), *VIEWS)
    assert process.wait(ENDED_SECONDS_MAX) == 0, process.stdout.read()
    for view in VIEWS:
        assert world.n_left(view) == 0, f"{where}: {view}"
        check(witness, view, world.right(view), f"{where}, without what was left over")
        assert is_stored(witness, view), view
        # Rows of versions before those that are remembered went as well.
        world.check_versions(view, max(0, DeltaTable(world.folder_of(view)).version() - N_REMEMBERED + 2))


def check(session: psycopg.Connection, view: str, right: Counter, where: str) -> None:
    given = bag(session.execute(f"select * from {view}").fetchall())
    assert given == right, f"{where}: {given - right} is not {right - given}"


def is_stored(session: psycopg.Connection, view: str) -> bool:
    """Whether stored rows are read, and nothing else."""
    lines = session.execute(f"explain select * from {view}").fetchall()
    return any(line.startswith(f"Materialized View: {view} (") and "file" not in line for (line,) in lines)


if __name__ == "__main__":
    main()
