#!/usr/bin/env python3
"""Random writers and readers over one lake: an answer that was kept is never another than a fresh one.

    python3 caching.py --gateway HOST:PORT --make FOLDER [--seed N] [--steps N]

Between any two questions a table may be appended to, overwritten, deleted from, given other columns, checkpointed,
or dropped and made anew (by Python's deltalake, which is another process); files may be added, replaced in place by
others of the same size, renamed and removed; views may be defined anew; policies, masks and grants change, and so do
settings. Each question is asked in one session with `lakegate.result_cache`, up to three times, so that also rows are
given as they were written before, and once without: the rows, or the SQLSTATE, must be the same. Now and then nothing
changes for some seconds, so that tables are known to stand still. In the end nothing changes any more, and every answer
must come from what is kept.
"""

import argparse
import math
import os
import random
import shutil
import sys
import time
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake
from psycopg.types.string import TextLoader

PASSWORD = "geheim"
ROOT = "ada"
ROLES = ["reader", "other"]
WORDS = ["red", "green", "blue", "gr\u00fcn"]
# Longer than a disk's clock may hide a change.
REST_SECONDS = 2.3
SETTLED_SECONDS_MAX = 30
# The last of a footer that is another: why it cannot be read, DataFusion says only in words.
FILES_ARE_OTHERS = ("58030", "58P01", "XX001")

# What is asked; {n} and {w} are filled in at random.
QUESTIONS = [
    "select count(*), sum(n), avg(f) from s.d",
    "select word, count(*) as n from s.d where n > {n} group by word order by word",
    "select * from s.d order by id, n, f, word, at limit {n}",
    "select d.word, count(*) from s.d as d join s.files as f on f.id = d.id group by d.word",
    "select count(*), min(word), max(id) from s.files",
    "select id, word from s.files where word <> '{w}'",
    "select count(*), sum(n) from s.parts",
    "select part, count(*) from s.parts group by part",
    "select id, word from s.single order by id",
    "select * from s.one",
    "select count(*) from s.two where id < {n}",
    "select word, rank() over (order by count(*), word) from s.two group by word",
    "select at, date_trunc('day', at), extract(hour from at) from s.d where id < {n}",
    "select count(*) from s.d where current_user = 'reader'",
    "select id from s.d where id in (select id from s.two)",
    "select count(*) from d",
    "select current_setting('application_name'), count(*) from s.d",
    "select f::text, at::text from s.d where id = {n}",
    "select count(*) from s.d where at < now()",
    "select count(*) from s.d where at::date < current_date",
    "SELECT Word, Count(*) FROM S.D GROUP BY Word",
    "select count(*) from s.d version as of 0",
    "select case when n > 1 then interval '1 day 2 hours' else interval '3 mons' end, '\\x00ff'::bytea, f from s.d order by id",
    "with recursive r(n) as (select 1 union all select n + 1 from r where n < {n}) select count(*) from r, s.d",
]
# Answers to these are never kept, or not while the files are young.
NEVER_KEPT = ["now()"]


class Lake:
    """The tables and files, and what may become of them."""

    def __init__(self, folder: Path, chance: random.Random):
        self.folder, self.chance = folder / "s", chance
        self.extra = 0
        self.second = 0
        self.make_table()
        self.write_csv("files", "a.csv")
        self.write_parquet("x", "a.parquet")
        self.write_csv(".", "single.csv")

    def rows(self) -> pa.Table:
        chance = self.chance
        ids = chance.sample(range(100), chance.randint(1, 40))
        columns = {
            "id": pa.array(ids, pa.int64()),
            "n": pa.array([chance.choice([None, 1, 5, 9]) for _ in ids], pa.int32()),
            "f": pa.array([chance.choice([0.1, 0.25, 1e9]) for _ in ids], pa.float64()),
            "word": pa.array([chance.choice(WORDS) for _ in ids]),
            "at": pa.array([chance.randrange(10**15, 2 * 10**15) for _ in ids], pa.timestamp("us", "UTC")),
        }
        for number in range(self.extra):
            columns[f"extra{number}"] = pa.array([chance.choice([None, "x"]) for _ in ids], pa.string())
        return pa.table(columns)

    def make_table(self) -> None:
        """The table, made anew: it counts its versions from 0 again."""
        self.extra = 0
        shutil.rmtree(self.folder / "d", ignore_errors=True)
        write_deltalake(self.folder / "d", self.rows())

    def append(self) -> None:
        write_deltalake(self.folder / "d", self.rows(), mode="append", schema_mode="merge")

    def overwrite(self) -> None:
        write_deltalake(self.folder / "d", self.rows(), mode="overwrite", schema_mode="overwrite")

    def delete(self) -> None:
        DeltaTable(self.folder / "d").delete(f"id % {self.chance.randint(2, 9)} = 1")

    def add_column(self) -> None:
        self.extra += 1
        self.append()

    def drop_columns(self) -> None:
        self.extra = 0
        self.overwrite()

    def checkpoint(self) -> None:
        DeltaTable(self.folder / "d").create_checkpoint()

    def age(self, path: Path) -> None:
        """Dates a file back, so that it is old enough for its answers to be kept; not always."""
        if self.chance.random() < 0.9:
            self.second += 1
            at = time.time() - 100_000 + self.second
            os.utime(path, (at, at))

    def write_csv(self, folder: str, name: str) -> None:
        """Rows of one width: what replaces them may have the same size."""
        path = self.folder / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{self.chance.randrange(100):04},{self.chance.choice(['red_', 'blue', 'grey'])}" for _ in range(5)]
        # In place, as the same file.
        with open(path, "w") as file:
            file.write("\n".join(["id,word", *lines, ""]))
        self.age(path)

    def write_parquet(self, part: str, name: str) -> None:
        path = self.folder / "parts" / f"part={part}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        n_rows = self.chance.choice([3, 3, 5])
        numbers = pa.array([self.chance.randrange(1000, 9999) for _ in range(n_rows)], pa.int64())
        pq.write_table(pa.table({"n": numbers}), path, compression="none", write_statistics=False)
        self.age(path)

    def add_file(self) -> None:
        self.write_csv("files", self.chance.choice(["a.csv", "b.csv", "c.csv"]))

    def replace_file(self) -> None:
        self.write_csv("files", "a.csv")
        self.write_csv(".", "single.csv")

    def add_part(self) -> None:
        self.write_parquet(self.chance.choice("xyz"), self.chance.choice(["a.parquet", "b.parquet"]))

    def remove_file(self) -> None:
        files = sorted((self.folder / "files").iterdir()) + sorted((self.folder / "parts").rglob("*.parquet"))
        gone = self.chance.choice(files)
        if len(list(gone.parent.iterdir())) > 1:
            gone.unlink()

    def rename_file(self) -> None:
        file = self.chance.choice(sorted((self.folder / "files").iterdir()))
        file.rename(file.with_name(self.chance.choice(["b.csv", "c.csv", "e.csv"])))

    def change(self) -> str:
        change = self.chance.choice([
            self.append, self.append, self.overwrite, self.delete, self.add_column, self.drop_columns, self.checkpoint,
            self.make_table, self.add_file, self.replace_file, self.replace_file, self.add_part, self.add_part,
            self.remove_file, self.rename_file,
        ])
        change()
        return change.__name__


class Sessions:
    """A session for each role, and the statements that change what exists and who may read it."""

    def __init__(self, host: str, port: str, chance: random.Random):
        self.chance = chance
        place = {"host": host, "port": port, "dbname": "lake", "autocommit": True}
        with psycopg.connect(**place, user="t") as first:
            first.execute(f"create role {ROOT} superuser login password '{PASSWORD}'")
        # What changes is changed by a session of its own, outside of the readers' transactions.
        self.admin = psycopg.connect(**place, user=ROOT, password=PASSWORD)
        self.of = {ROOT: psycopg.connect(**place, user=ROOT, password=PASSWORD)}
        self.change("create view s.one as select id, word from s.d where id < 50")
        self.change("create view s.two as select id, word from s.one union all select id::int8, word from s.files")
        for role in ROLES:
            self.change(f"create role {role} login password '{PASSWORD}'")
            self.change(f"grant usage on schema s to {role}")
            self.change(f"grant select on all tables in schema s to {role}")
            self.of[role] = psycopg.connect(**place, user=role, password=PASSWORD)
        for session in self.of.values():
            # In every style, as they come.
            for kind in ("timestamptz", "timestamp", "date", "interval", "bytea"):
                session.adapters.register_loader(kind, TextLoader)
        self.is_in_block = dict.fromkeys(self.of, False)

    def change(self, sql: str) -> str:
        """Some changes are of what is not there, or is there already: then nothing changes."""
        try:
            self.admin.execute(sql)
        except psycopg.Error as error:
            assert error.sqlstate in ("42704", "42710", "42P07", "42P01", "2BP01", "42P16"), (sql, error)
        return sql

    def redefine(self) -> str:
        chance = self.chance
        one = chance.choice([f"id < {chance.randrange(100)}", f"word = '{chance.choice(WORDS)}'", "true"])
        two = chance.choice(["union all", "union", "intersect"])
        return self.change(chance.choice([
            f"create or replace view s.one as select id, word from s.d where {one}",
            f"create or replace view s.two as select id, word from s.one {two} select id::int8, word from s.files",
        ]))

    def regrant(self) -> str:
        chance, role = self.chance, self.chance.choice(ROLES)
        condition = chance.choice(["true", "id % 2 = 0", f"id < {chance.randrange(100)}", "current_user = 'reader'",
                                   f"pg_has_role('{ROLES[0]}', 'member')",
                                   "id in (select id::int8 from s.files)", "current_setting('TimeZone') <> 'UTC'"])
        mask = chance.choice(["'MASKED WITH (null)'", "'MASKED WITH (upper(word))'", "null"])
        return self.change(chance.choice([
            f"grant select on s.d to {role}", f"revoke select on s.d from {role}",
            f"revoke select on s.d from {role}", f"grant select (id, word, n, f, at) on s.d to {role}",
            f"grant select on s.two to {role}", f"revoke select on s.two from {role}",
            "alter table s.d enable row level security", "alter table s.d disable row level security",
            f"create policy p on s.d using ({condition})", f"alter policy p on s.d using ({condition})",
            f"alter policy p on s.d using ({condition})", "drop policy p on s.d",
            f"security label for lakegate on column s.d.word is {mask}",
            f"grant {ROLES[0]} to {ROLES[1]}", f"revoke {ROLES[0]} from {ROLES[1]}",
        ]))

    def set(self, role: str) -> str:
        setting = self.chance.choice([
            "TimeZone = 'UTC'", "TimeZone = 'Asia/Kolkata'", "TimeZone = 'America/New_York'", "DateStyle = 'German'",
            "DateStyle = 'ISO'", "extra_float_digits = 0", "extra_float_digits = 1", "search_path = s",
            "search_path = public", "application_name = 'a'", "application_name = 'b'",
            "IntervalStyle = 'iso_8601'", "IntervalStyle = 'postgres'", "bytea_output = 'escape'", "bytea_output = 'hex'",
            "client_encoding = 'LATIN1'", "client_encoding = 'UTF8'",
        ])
        self.of[role].execute(f"set {setting}")
        return setting

    def block(self, role: str) -> str:
        """Begins a transaction that sees one moment, or ends it."""
        is_in_block = self.is_in_block[role]
        word = "rollback" if is_in_block else "begin isolation level repeatable read"
        self.of[role].execute(word)
        self.is_in_block[role] = not is_in_block
        return word

    def ask(self, role: str, sql: str, is_kept: bool, binary: bool):
        """Rows, or the SQLSTATE."""
        session = self.of[role]
        try:
            session.execute(f"set lakegate.result_cache = {'on' if is_kept else 'off'}")
            with session.cursor(binary=binary) as cursor:
                return cursor.execute(sql).fetchall()
        except psycopg.Error as error:
            if self.is_in_block[role]:
                session.execute("rollback")
                self.is_in_block[role] = False
            return error.sqlstate

    def counted(self, column: str) -> int:
        return self.admin.execute(f"select {column} from lakegate.cache where cache = 'results'").fetchone()[0]


def are_same(left, right) -> bool:
    """Whether two answers are: sums of floating-point numbers have an order of their own."""
    if isinstance(left, str) or isinstance(right, str):
        return left == right
    key = lambda row: tuple((value is None, str(value)[:12]) for value in row)
    left, right = sorted(left, key=key), sorted(right, key=key)
    return len(left) == len(right) and all(map(same_rows, left, right))


def same_rows(left, right) -> bool:
    def same(one, other):
        if isinstance(one, float) and isinstance(other, float):
            return math.isclose(one, other, rel_tol=1e-9)
        return one == other
    return len(left) == len(right) and all(map(same, left, right))


def question(chance: random.Random) -> str:
    # Few different ones, so that they are asked again.
    return chance.choice(QUESTIONS).format(n=chance.choice([5, 50]), w=chance.choice(WORDS[:2]))


def compare(sessions: Sessions, role: str, chance: random.Random, done: list[str], seed: int) -> None:
    sql, binary = question(chance), chance.random() < 0.3
    in_block = sessions.is_in_block[role]
    n_times = chance.randint(1, 3)
    kept = sessions.ask(role, sql, True, binary)
    # A failed block is over, and the fresh run outside of it sees another moment.
    if in_block and isinstance(kept, str):
        return
    fresh = sessions.ask(role, sql, False, binary)
    # Files that the transaction saw and that are no more cannot be read again; their answers are still right.
    if in_block and fresh in FILES_ARE_OTHERS:
        return
    for _ in range(n_times):
        if not are_same(kept, fresh):
            lines = "\n".join(done[-20:])
            sys.exit(f"seed {seed}: {role}: {sql}\nkept:  {kept}\nfresh: {fresh}\nafter:\n{lines}")
        if isinstance(fresh, str) or "now()" in sql:
            break
        kept = sessions.ask(role, sql, True, binary)


def finish(sessions: Sessions, seed: int) -> None:
    """Nothing changes any more: every answer is one that is kept."""
    questions = sorted({text.format(n=n, w=w) for text in QUESTIONS for n in (5, 50) for w in WORDS[:2]})
    questions = [sql for sql in questions if not any(word in sql for word in NEVER_KEPT)]
    for role in [ROOT, *ROLES]:
        sessions.of[role].execute("rollback")
        sessions.is_in_block[role] = False
        deadline = time.monotonic() + SETTLED_SECONDS_MAX
        while time.monotonic() < deadline:
            sessions.of[role].execute("set lakegate.result_cache = on")
            answered = [sql for sql in questions if not isinstance(sessions.ask(role, sql, True, False), str)]
            before = sessions.counted("hits")
            for sql in answered:
                sessions.ask(role, sql, True, False)
            n_hits = sessions.counted("hits") - before
            if n_hits == len(answered):
                break
        else:
            sys.exit(f"seed {seed}: {role}: {n_hits} hits of {len(answered)} answers")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gateway", required=True)
    arguments.add_argument("--make", type=Path, required=True)
    arguments.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments.add_argument("--steps", type=int, default=600)
    given = arguments.parse_args()
    print(f"seed {given.seed}")
    chance = random.Random(given.seed)
    lake = Lake(given.make, chance)
    host, port = given.gateway.split(":")
    sessions = Sessions(host, port, chance)
    done: list[str] = []
    for _ in range(given.steps):
        role, dice = chance.choice([ROOT, *ROLES]), chance.random()
        if dice < 0.01:
            time.sleep(REST_SECONDS)
            done.append("rest")
            # Twice: what stands still is found to, and then known to.
            for _ in range(8):
                compare(sessions, role, chance, done, given.seed)
        elif dice < 0.06:
            done.append(lake.change())
        elif dice < 0.09:
            done.append(sessions.redefine())
        elif dice < 0.14:
            done.append(sessions.regrant())
        elif dice < 0.19:
            done.append(f"{role}: {sessions.set(role)}")
        elif dice < 0.22:
            done.append(f"{role}: {sessions.block(role)}")
        else:
            compare(sessions, role, chance, done, given.seed)
    n_hits = sessions.counted("hits")
    if n_hits < given.steps // 20:
        sys.exit(f"seed {given.seed}: only {n_hits} answers were kept ones: this shows nothing")
    finish(sessions, given.seed)
    print(f"{n_hits} hits in {given.steps} steps")


if __name__ == "__main__":
    main()
