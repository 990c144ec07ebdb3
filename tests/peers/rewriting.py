#!/usr/bin/env python3
"""Queries over tables, answered from materialized views or not: the rows are the same, whatever becomes of the tables.

    python3 rewriting.py --gateway HOST:PORT --make FOLDER --state FOLDER [--seed N] [--steps N] [--queries N] [--tell]

A table is changed by Python's deltalake, which is another process, as in materialized.py. After every change random GROUP BY
queries are asked with `lakegate.rewrite` on and off, before materialized views of random definitions are refreshed and after
that, in sessions of several zones, now and at earlier instants: the rows must be the same bag, or the SQLSTATE the same; and
DuckDB must find the same in the table. Most queries are made of a view's definition, so that the view has what they ask for:
of those that are asked after its refresh, or after rows came and before that, the share that reads a view is counted, and must
reach the goal.
"""

import argparse
import os
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from materialized import Tables, bag

# The shares of queries that a view has the rows for which must read one: after it was refreshed, and after rows came and
# before it is refreshed.
GOALS = {"refreshed": 0.6, "appended": 0.9}
# Changes after which what is stored is put together with what came, and aggregates whose views are not.
FOLLOWED = ["append", "compact", "checkpoint"]
NOT_FOLLOWED = ["distinct", "sum(f)", "array_agg"]
# Keys, each with keys that follow from it.
KEYS = {
    "word": ["word", "upper(word)", "word is null", "length(word)"],
    "n": ["n", "n + 1", "coalesce(n, 0)", "n > 3"],
    "id % 5": ["id % 5", "(id % 5) * 2"],
    "price > 50": ["price > 50"],
    "date_trunc('hour', at)": ["date_trunc('hour', at)", "date_trunc('day', at)", "date_trunc('month', at)", "extract(hour from at)"],
    "date_trunc('day', at)": ["date_trunc('day', at)", "date_trunc('week', at)", "date_trunc('quarter', at)", "at::date",
                              "extract(year from at)", "extract(dow from at)"],
    "at::date": ["at::date", "date_trunc('month', at)", "extract(month from at)"],
    "date_trunc('month', at)": ["date_trunc('month', at)", "date_trunc('year', at)", "extract(quarter from at)"],
    "date_trunc('week', at)": ["date_trunc('week', at)", "extract(isoyear from at)"],
}
# Conditions on keys.
CONDITIONS = {
    "word": ["word = 'red'", "word in ('red', 'blue')", "word <> 'red'", "word is null", "word is not null", "word > 'c'",
             "word like '%e%'", "word is distinct from 'grey'"],
    "n": ["n = 5", "n > 1", "n >= 5", "n between 1 and 5", "n in (1, 9)", "n is null", "n <> 5", "not n = 5", "n + 1 > 3"],
    "id % 5": ["id % 5 = 2", "id % 5 in (0, 1)"],
    "price > 50": ["price > 50", "not (price > 50)"],
    "date_trunc('hour', at)": ["at >= '2010-01-01 05:00:00'", "at < '2015-06-01'", "extract(hour from at) > 12", "at >= '2012-01-01'"],
    "date_trunc('day', at)": ["at >= '2010-01-01'", "at < '2015-06-01'", "extract(year from at) = 2012", "at::date >= '2011-05-05'",
                              "at between '2010-01-01' and '2019-12-31 23:59:59.999999'"],
    "at::date": ["at >= '2010-01-01'", "at::date < '2015-06-02'"],
    "date_trunc('month', at)": ["at >= '2010-02-01'", "at < '2015-06-01'"],
    "date_trunc('week', at)": ["at >= '2012-01-02'"],
}
# Conditions on what views have seldom as a key.
OTHERS = ["id < 70", "price < 50", "id % 2 = 0", "at >= '2010-01-01 10:11:12'", "n = 5", "word = 'red'", "data is not null"]
CALLS = ["count(*)", "count(n)", "count(price)", "count(word)", "sum(n)", "sum(id)", "sum(price)", "min(at)", "max(at)", "min(n)",
         "max(price)", "min(word)", "max(word)", "bool_and(n > 1)", "bool_or(price > 90)", "count(*) filter (where n = 5)",
         "sum(price) filter (where word = 'red')", "max(id) filter (where n is null)", "stddev(n)", "variance(n) filter (where id % 2 = 0)"]
# Those that are not made of others of their kind.
WHOLE = ["avg(n)", "avg(price)", "avg(id)", "count(distinct n)", "count(distinct word)", "sum(distinct n)", "sum(price * n)",
         "count(f)", "sum(f)", "array_agg(id order by id)"]
# What rows are joined to, a table and the same without: words and numbers that are there once, twice, and not at all.
WORDS = [("red", "R", 1), ("blue", "B", 2), ("blue", "b", 3), ("none", None, 4), (None, "N", 5)]
RELATION = "(values ('red', 'R', 1), ('blue', 'B', 2), ('blue', 'b', 3), ('none', null, 4), (null, 'N', 5)) as w(w_word, label, weight)"
# Keys and conditions of joined rows.
LABELS = ["label", "upper(label)", "label is null"]
OF_LABELS = ["label <> 'B'", "label is not null", "label in ('R', 'b')"]
# By which keys.
JOINS = {
    "word": ["word = w_word", "word is not distinct from w_word", "upper(word) = upper(w_word) and weight < 3", "word > w_word"],
    "n": ["n = weight", "n > weight", "n + 1 = weight", "n = weight and n < 3"],
    "id % 5": ["id % 5 = weight", "(id % 5) * 2 = weight + 1"],
    "date_trunc('day', at)": ["extract(dow from at) = weight"],
    "date_trunc('month', at)": ["extract(quarter from at) = weight"],
}
KINDS = ["join", "join", "left join", "right join", "full join", "cross join"]
ZONES = ["UTC", "Asia/Kolkata", "America/New_York"]
# What DuckDB says otherwise: quotients that are no numerics, and times of day in texts.
NOT_DUCKDB = ["avg", "stddev", "variance", "array_agg", "sum(f)", "extract"]


@dataclass
class Words:
    """What may be asked of a table: as the lists above are of the one that is made here."""

    keys: dict[str, list[str]] = field(default_factory=lambda: KEYS)
    conditions: dict[str, list[str]] = field(default_factory=lambda: CONDITIONS)
    others: list[str] = field(default_factory=lambda: OTHERS)
    calls: list[str] = field(default_factory=lambda: CALLS)
    whole: list[str] = field(default_factory=lambda: WHOLE)
    # Whether there is the table of words to join it to.
    is_joined: bool = False

    def keys_of(self, key: str) -> list[str]:
        return self.keys.get(key, LABELS)

    def conditions_of(self, key: str) -> list[str]:
        return self.conditions.get(key, []) if key in self.keys else OF_LABELS


def joined(condition: str, chance: random.Random) -> tuple[str, list[str]]:
    """The table joined to that of words, and what is still to be asked of the rows."""
    sides = ["s.d", "s.w"]
    chance.shuffle(sides)
    if chance.random() < 0.4:
        return ", ".join(sides), [condition]
    return f"{' join '.join(sides)} on {condition}", []


WITH_WORDS = Words(is_joined=True)


class Definition:
    """A materialized view of the table, or of it joined to that of words."""

    def __init__(self, name: str, chance: random.Random, words: Words = Words(), is_joined: bool = False):
        self.name = name
        self.join = chance.choice([condition for own in JOINS.values() for condition in own]) if is_joined else None
        self.keys = some(sorted(words.keys), chance.choice([0, 1, 2, 2, 3]), chance)
        self.calls = some(words.calls, chance.randint(3, 9), chance)
        self.whole = some(words.whole, chance.randint(0, 2), chance)
        self.conditions = some(words.others, chance.choice([0, 0, 0, 1, 2]), chance)
        if self.join:
            self.keys += ["label"] if chance.random() < 0.7 else []
            self.calls += ["count(label)"]
        self.has_states = not self.join and not any(word in call for word in NOT_FOLLOWED for call in self.whole)
        # Whether what is stored can be followed to what the table is.
        self.is_followed = True

    def query(self) -> str:
        columns = [f"{key} as k{index}" for index, key in enumerate(self.keys)]
        columns += [f"{call} as c{index}" for index, call in enumerate(self.calls + self.whole)]
        source = f"s.d join s.w on {self.join}" if self.join else "s.d"
        return f"select {', '.join(columns)} from {source}{where(self.conditions)}{group_by(len(self.keys))}"


def some(of: list[str], n_wanted: int, chance: random.Random) -> list[str]:
    return chance.sample(of, min(n_wanted, len(of)))


def where(conditions: list[str]) -> str:
    return f" where {' and '.join(conditions)}" if conditions else ""


def group_by(n_keys: int) -> str:
    return f" group by {', '.join(str(index + 1) for index in range(n_keys))}" if n_keys else ""


class Query:
    """A query, and whether a view has all that it asks for."""

    def __init__(self, definitions: list[Definition], chance: random.Random, words: Words = Words()):
        self.could_be = chance.random() < 0.7
        self.of = None
        if self.could_be:
            of = self.of = chance.choice(definitions)
            from_keys = chance.sample(of.keys, chance.randint(0, len(of.keys)))
            keys = [chance.choice(words.keys_of(key)) for key in from_keys]
            calls = chance.sample(of.calls, chance.randint(1, len(of.calls)))
            if "sum(price)" in of.calls and "count(price)" in of.calls:
                calls.append("avg(price)")
            if "sum(n)" in of.calls and "count(n)" in of.calls:
                calls.append("avg(n)")
            if "n" in of.keys:
                calls += ["count(distinct n)", "max(n)"]
            # Of variances themselves no others are made, and only views with states have more of them.
            is_spread = any(word in call for word in ("stddev", "variance") for call in calls)
            self.could_be = of.has_states or not is_spread
            own = [condition for key in of.keys for condition in words.conditions_of(key)]
            conditions = of.conditions + chance.sample(own, min(len(own), chance.choice([0, 0, 1, 2])))
        else:
            keys = [chance.choice(words.keys[key]) for key in some(sorted(words.keys), chance.randint(0, 3), chance)]
            calls = some(words.calls + words.whole, chance.randint(0 if keys else 1, 4), chance)
            own = [condition for conditions in words.conditions.values() for condition in conditions]
            conditions = some(own + words.others, chance.choice([0, 1, 2]), chance)
        chance.shuffle(conditions)
        source = "s.d"
        if self.of and self.of.join:
            source, more = joined(self.of.join, chance)
            conditions += more
        elif words.is_joined and chance.random() < 0.35:
            source = self.joined(chance, keys, calls, conditions)
        self.calls = list(dict.fromkeys(calls))
        columns = [f"{key} as k{index}" for index, key in enumerate(keys)] + [f"{call} as c{index}" for index, call in enumerate(self.calls)]
        self.text = f"select {', '.join(columns)} from {source}{where(conditions)}{group_by(len(keys))}"
        if keys and chance.random() < 0.2:
            self.text += " having count(*) > 1"
            self.could_be = self.could_be and "count(*)" in calls
        elif keys and not self.calls and chance.random() < 0.5:
            self.text = f"select distinct {', '.join(keys)} from {source}{where(conditions)}"
        if chance.random() < 0.2:
            self.text = f"select count(*), count(c0) from ({self.text}) as t" if self.calls else f"select count(*) from ({self.text}) as t"

    def joined(self, chance: random.Random, keys: list[str], calls: list[str], conditions: list[str]) -> str:
        """Has the table joined to another relation, and more asked for of that."""
        on = chance.choice(sorted(JOINS))
        if self.could_be and (known := sorted(set(JOINS) & set(self.of.keys))):
            on = chance.choice(known)
        kind, condition = chance.choice(KINDS), chance.choice(JOINS[on])
        if chance.random() < 0.7:
            keys.append(chance.choice(["label", "weight > 1", "weight"]))
        more = ["count(label)", "max(weight)", "count(distinct label)", "count(*) filter (where weight > 1)", "sum(weight)", "sum(n + weight)"]
        calls += chance.sample(more, chance.choice([0, 0, 1, 1, 2]))
        conditions += chance.sample(["weight > 1", "label <> 'B'", "label is not null"], chance.choice([0, 0, 1]))
        is_servable = not any(call.startswith("sum(weight") or "+ weight" in call for call in calls)
        has_counts = "count(*)" in self.of.calls if self.could_be else False
        self.could_be = (self.could_be and on in self.of.keys and kind not in ("right join", "full join")
                         and is_servable and (has_counts or not any(call in more for call in calls)))
        words = chance.choice([RELATION, "s.w"])
        if kind == "cross join":
            conditions.append(condition)
            return f"s.d, {words}"
        return f"s.d {kind} {words} on {condition}"

    def is_for_duckdb(self) -> bool:
        return not any(word in self.text for word in NOT_DUCKDB)


def normal(rows) -> Counter:
    """Rows as DuckDB and PostgreSQL mean them alike: numbers by their value, moments in UTC."""

    def value(of):
        match of:
            case bool() | None | str() | bytes():
                return of
            case int() | Decimal():
                return Decimal(of).normalize()
            case datetime() if of.tzinfo:
                return of.astimezone(timezone.utc)
            case _:
                return of

    return Counter(tuple(value(it) for it in row) for row in rows)


class Sessions:
    """A session of each zone; answers are never those that were kept."""

    def __init__(self, host: str, port: str):
        place = {"host": host, "port": port, "dbname": "lake", "autocommit": True, "user": "t"}
        self.all = []
        for zone in ZONES:
            session = psycopg.connect(**place)
            for setting in [f"TimeZone = '{zone}'", "lakegate.result_cache = 'off'"]:
                session.execute(f"set {setting}")
            self.all.append(session)

    def ask(self, session, sql: str, rewrite: str):
        session.execute(f"set lakegate.rewrite = {rewrite}")
        try:
            return session.execute(sql).fetchall()
        except psycopg.Error as error:
            return error.sqlstate


def used(session, sql: str) -> list[str]:
    session.execute("set lakegate.rewrite = on")
    lines = session.execute(f"explain (why) {sql}").fetchall()
    return [line for (line,) in lines if line.startswith("Materialized View")]


def check(sessions: Sessions, query: Query, other, chance: random.Random, at: str, counts: Counter) -> None:
    session = sessions.all[0] if chance.random() < 0.8 else chance.choice(sessions.all)
    given, right = (sessions.ask(session, query.text, rewrite) for rewrite in ("on", "off"))
    same = given == right if isinstance(right, str) or isinstance(given, str) else bag(given) == bag(right)
    assert same, f"{at}: {query.text}\n{given}\nis not\n{right}\n{used(session, query.text)}"
    counts["asked"] += 1
    if other is not None and session is sessions.all[0] and query.is_for_duckdb() and not isinstance(right, str):
        # "at" is a word of its own to DuckDB.
        theirs = other.execute(re.sub(r"\bat\b", '"at"', query.text.replace("s.d", "d").replace("s.w", "w"))).fetchall()
        assert normal(given) == normal(theirs), f"{at}: {query.text}\n{given}\nis not DuckDB's\n{theirs}"
        counts["asked of DuckDB"] += 1


def count(session, query: Query, when: str, counts: Counter, tells: bool) -> None:
    told = used(session, query.text)
    is_read = any(line.startswith("Materialized View: ") for line in told)
    counts[f"could be, {when}"] += 1
    counts[f"is read, {when}"] += is_read
    if tells and not is_read:
        print(when, query.text, told)


def duck(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.register("rows", DeltaTable(folder / "d").to_pyarrow_table())
    connection.execute("create table d as select * from rows")
    connection.execute("create table w (w_word text, label text, weight integer)")
    connection.executemany("insert into w values (?, ?, ?)", WORDS)
    return connection


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--make", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LAKEGATE_TEST_SEED") or random.randrange(10**6)))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--tell", action="store_true", help="prints the queries that no view was read for")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    chance = random.Random(arguments.seed)
    tables = Tables(arguments.make, chance)
    sessions = Sessions(*arguments.gateway.rsplit(":", 1))
    admin = sessions.all[0]
    admin.execute("create schema m")
    columns = [pa.array(column, kind) for column, kind in zip(zip(*WORDS), [pa.string(), pa.string(), pa.int32()])]
    write_deltalake(tables.folder / "w", pa.table(columns, names=["w_word", "label", "weight"]))
    definitions = [Definition(f"m.v{number}", chance, WITH_WORDS, number >= 5) for number in range(7)]
    for definition in definitions:
        admin.execute(f"create materialized view {definition.name} with (refresh = 'manual') as {definition.query()}")
    counts, instants = Counter(), []
    for step in range(arguments.steps):
        done = tables.change() if step else "begin"
        if done == "make_anew":
            instants.clear()
        time.sleep(0.02)
        instants.append(datetime.now(timezone.utc))
        time.sleep(0.02)
        at = f"seed {arguments.seed}, step {step} ({done})"
        other = duck(tables.folder)
        for definition in definitions:
            definition.is_followed = definition.is_followed and definition.has_states and done in FOLLOWED
        for _ in range(arguments.queries // 2):
            query = Query(definitions, chance, WITH_WORDS)
            check(sessions, query, other, chance, f"{at}, before", counts)
            if query.could_be and query.of.is_followed:
                count(admin, query, "appended", counts, arguments.tell)
        admin.execute("set lakegate.rewrite = off")
        refreshed = [definition for definition in definitions if chance.random() < 0.8]
        for definition in refreshed:
            admin.execute(f"refresh materialized view {definition.name}")
            definition.is_followed = True
        for _ in range(arguments.queries // 2):
            query = Query(definitions, chance, WITH_WORDS)
            check(sessions, query, other, chance, f"{at}, after", counts)
            if query.could_be and query.of in refreshed:
                count(admin, query, "refreshed", counts, arguments.tell)
        instant = chance.choice(instants) + timedelta(milliseconds=1)
        for session in sessions.all:
            session.execute(f"set lakegate.as_of = '{instant.isoformat()}'")
        for _ in range(arguments.queries // 10):
            check(sessions, Query(definitions, chance, WITH_WORDS), None, chance, f"{at}, at {instant}", counts)
        for session in sessions.all:
            session.execute("reset lakegate.as_of")
    print(dict(counts))
    assert counts["asked of DuckDB"] > arguments.steps * arguments.queries / 10, counts
    for when, goal in GOALS.items():
        if counts[f"could be, {when}"]:
            share = counts[f"is read, {when}"] / counts[f"could be, {when}"]
            print(f"{when}: of what a view has {share:.0%} was read from one")
            assert share >= goal, counts


if __name__ == "__main__":
    sys.exit(main())
