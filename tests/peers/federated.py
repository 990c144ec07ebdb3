#!/usr/bin/env python3
"""Random queries over one set of rows in PostgreSQL, MariaDB and SQLite, with pushdown on and off.

    python3 federated.py LAKE --gateway HOST:PORT --postgres HOST:PORT --mariadb HOST:PORT [--queries 2000] [--seed N]

The same rows are written to three servers and once more into tables of PostgreSQL whose texts are in the C collation.
Each query is asked of that PostgreSQL itself, of the gateway over each server with pushdown, and over one of them
without: all rows must be the same, averages to twelve digits. What was sent is read from EXPLAIN (VERBOSE): of the
filters that a server can mean, the share that it judges is printed, and must be 80 % or more.
"""

import argparse
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path

import psycopg
from psycopg.types.string import TextLoader

DATABASE = "warehouse_federated"
SHARE_MIN = 0.8
N_ROWS, N_OTHER = 400, 60
WORDS = ["", "a", "A", "b", "B", "é", "E", "Z", "a b", "a ", " a", "ab", "a%", "a_", "it's", "ä", "ß", "ss", "10", "9", "\U0001f600", "\uff5e", None, None]
CODES = ["c0", "c1", "C1", "c2", "c3", "", None]
COLUMNS = [("id", "int primary key"), ("n", "int"), ("small", "smallint"), ("big", "bigint"), ("amount", "decimal(12,2)"),
           ("ratio", "decimal(10,4)"), ("word", "varchar(20)"), ("code", "varchar(10)"), ("day", "date"), ("moment", "timestamp"),
           ("other", "int")]
OTHER = [("id", "int primary key"), ("name", "varchar(20)"), ("n", "int"), ("price", "decimal(10,2)"), ("since", "date")]
SERVERS = ["pg", "my", "lite"]


def rows_of(chance: random.Random) -> tuple[list, list]:
    """Rows of both tables, full of NULLs and of values that are equal but for case, blanks or sign."""
    def maybe(value):
        return None if chance.random() < 0.15 else value
    one = [(i, maybe(chance.randint(-5, 12)), maybe(chance.randint(-3, 3)), maybe(chance.choice([0, 1, -1, 7]) * 10 ** chance.randint(0, 17)),
            maybe(Decimal(chance.randint(-5000, 5000)) / 100), maybe(Decimal(chance.randint(-99999, 99999)) / 10000),
            chance.choice(WORDS), chance.choice(CODES), maybe(f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"),
            maybe(f"20{chance.choice(['00', '26'])}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02} {chance.randint(0, 23):02}:00:{chance.randint(0, 59):02}"),
            maybe(chance.randint(-2, N_OTHER + 5))) for i in range(N_ROWS)]
    other = [(i, chance.choice(WORDS), maybe(chance.randint(-5, 12)), maybe(Decimal(chance.randint(-900, 900)) / 100),
              maybe(f"2026-0{chance.randint(1, 9)}-15")) for i in range(N_OTHER)]
    return one, other


class Questions:
    """Queries at random. `can` collects which servers can mean all of a query's filter."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.can = set(SERVERS)

    def one_of(self, *values):
        return self.chance.choice(values)

    def only(self, *servers: str) -> None:
        self.can &= set(servers)

    def text(self) -> str:
        return "'" + self.chance.choice([word for word in WORDS if word is not None]).replace("'", "''") + "'"

    def day(self) -> str:
        return f"date '2026-{self.chance.randint(1, 12):02}-{self.chance.randint(1, 28):02}'"

    def number(self) -> int:
        return self.chance.randint(-6, 13)

    def atom(self, t: str = "") -> str:
        sign = self.one_of("=", "<>", "<", "<=", ">", ">=")
        kind = self.chance.randint(0, 23)
        if kind <= 2:
            return f"{t}{self.one_of('n', 'small', 'id', 'other')} {sign} {self.number()}"
        if kind == 3:
            return f"{t}big {sign} {self.number()}000000000"
        if kind in (4, 5):
            self.only("pg", "my")
            return f"{t}{self.one_of('amount', 'ratio')} {sign} {self.chance.randint(-5000, 5000) / 100}"
        if kind in (6, 7):
            return f"{t}{self.one_of('word', 'code')} {sign} {self.text()}"
        if kind == 8:
            self.only("pg", "my")
            return f"{t}day {sign} {self.day()}"
        if kind == 9:
            self.only("pg", "my")
            return f"{t}moment {sign} timestamp '2026-{self.chance.randint(1, 12):02}-10 12:00:00'"
        if kind == 10:
            self.only("pg", "my")
            low, high = sorted([self.day(), self.day()])
            return f"{t}day {self.one_of('', 'not ')}between {low} and {high}"
        if kind in (11, 12):
            self.only("pg", "my")
            pattern = self.one_of("a%", "%a", "A_", "%", "_", "", "%b%", "c_", "é%", "a\\%")
            if "\\" in pattern:
                self.only("pg")
            return f"{t}{self.one_of('word', 'code')} {self.one_of('', 'not ')}like '{pattern}'"
        if kind == 13:
            return f"{t}{self.one_of('word', 'n', 'amount', 'code', 'other')} is {self.one_of('', 'not ')}null"
        if kind == 14:
            self.only("pg")
            return f"{t}{self.one_of('day', 'moment')} is {self.one_of('', 'not ')}null"
        if kind in (15, 16):
            values = ", ".join(str(self.number()) for _ in range(self.chance.randint(1, 4)))
            return f"{t}{self.one_of('n', 'small', 'other')} {self.one_of('', 'not ')}in ({values})"
        if kind == 17:
            values = ", ".join(self.text() for _ in range(self.chance.randint(1, 3)))
            return f"{t}{self.one_of('word', 'code')} {self.one_of('', 'not ')}in ({values})"
        if kind == 18:
            return f"{t}{self.one_of('n', 'id')} {sign} {t}{self.one_of('small', 'other')}"
        if kind == 19:
            return f"{t}n between {self.number()} and {self.number()}"
        if kind == 20:
            return f"{t}{self.one_of('n', 'small')} is {self.one_of('', 'not ')}distinct from {self.number()}"
        self.only()
        return self.one_of(
            f"case when {t}n > {self.number()} then {t}word else {t}code end {sign} {self.text()}",
            f"case {t}small when 1 then {t}n when 2 then {t}other end {sign} {self.number()}",
            f"coalesce({t}n, {t}other, 0) {sign} {self.number()}", f"nullif({t}n, {self.number()}) is null",
            f"{t}n + {t}small {sign} {self.number()}", f"{t}amount * 2 {sign} {t}ratio", f"length({t}word) {sign} 1",
            f"upper({t}code) = 'C1'", f"extract(month from {t}day) {sign} {self.number()}", f"abs({t}n) {sign} 3", f"{t}word ilike 'a%'")

    def condition(self, t: str = "", depth: int = 2) -> str:
        if depth and self.chance.random() < 0.4:
            one, other = self.condition(t, depth - 1), self.condition(t, depth - 1)
            return self.one_of(f"({one} and {other})", f"({one} or {other})", f"not ({one})")
        return self.atom(t)

    def where(self, t: str = "") -> str:
        return "" if self.chance.random() < 0.15 else f" where {self.condition(t)}"

    def aggregates(self, t: str = "") -> str:
        known = ["count(*)", f"count({t}n)", f"count({t}word)", f"count(distinct {t}code)", f"sum({t}n)", f"sum({t}small)", f"sum({t}big)",
                 f"sum({t}amount)", f"sum({t}ratio)", f"min({t}n)", f"max({t}big)", f"min({t}amount)", f"max({t}ratio)", f"min({t}word)",
                 f"max({t}word)", f"max({t}code)", f"min({t}day)", f"max({t}moment)", f"avg({t}n)", f"avg({t}amount)", f"min({t}id)",
                 f"sum({t}n) filter (where {t}small > 0)", f"count(distinct {t}n)", f"sum(distinct {t}small)"]
        return ", ".join(self.chance.sample(known + self.computed(t), self.chance.randint(1, 4)))

    def computed(self, t: str) -> list[str]:
        """Aggregates of what is computed of columns, some of which overflow."""
        condition = self.condition(t, 1)
        return [f"sum({t}n * {self.number()})", f"sum({t}n + {t}small)", f"sum({t}big * {self.one_of(2, 13, 20)})", f"sum({t}small - {t}other)",
                f"sum({t}amount * (1 - {t}ratio))", f"sum({t}amount * {t}ratio * {t}amount)", f"avg({t}amount * 2)", f"max({t}amount - {t}ratio)",
                f"sum({t}n * {t}amount)", f"min({t}big - {t}n)", f"count({t}n * {t}small)", f"sum({t}amount + 1) filter (where {t}n > 2)",
                f"sum(case when {condition} then 1 else 0 end)", f"count(case when {condition} then 1 end)",
                f"sum(case when {condition} then {t}amount else 0 end)", f"sum(case when {t}n > 2 then {t}amount when {t}small = 1 then {t}ratio end)",
                f"min(case when {condition} then {t}word else {t}code end)", f"max(case {t}small when 1 then {t}n when 2 then {t}other else -1 end)",
                f"count(distinct case when {t}n > 3 then {t}code end)", f"sum(coalesce({t}n, 0) * 3)", f"sum(coalesce({t}amount, {t}ratio, 0))",
                f"max(case when {condition} then 'yes' when {t}n > 1 then 'maybe' else {t}word end)",
                f"sum((case when {t}n > 0 then {t}n else 0 end) * {t}small)", f"max(coalesce({t}day, date '2026-02-03'))"]

    def keys(self, t: str = "") -> str:
        known = [f"{t}n", f"{t}small", f"{t}word", f"{t}code", f"{t}day", f"{t}amount", f"{t}moment", f"{t}other"]
        if self.chance.random() < 0.2:
            return self.one_of(f"case when {t}n > {self.number()} then {t}code else 'other' end", f"{t}n * 2 - {t}small", f"coalesce({t}word, {t}code)",
                               f"case when {self.condition(t, 1)} then 'yes' else 'no' end", f"case {t}small when 1 then {t}n else {t}other end",
                               f"{t}amount * {t}ratio", f"{t}n > 3")
        return ", ".join(self.chance.sample(known, self.chance.choice([1, 1, 2])))

    def order(self, unique: str, t: str = "") -> str:
        keys = [self.one_of("n", "small", "word", "code", "day", "amount", "moment", "other") for _ in range(self.one_of(0, 1, 1, 1, 2))]
        keys = [f"{t}{key}" for key in keys]
        told = [f"{key} {self.one_of('', 'asc', 'desc')} {self.one_of('', '', 'nulls first', 'nulls last')}" for key in keys]
        return " order by " + ", ".join([*told, unique])

    def limit(self) -> str:
        return f" limit {self.chance.randint(0, 12)}" + self.one_of("", "", f" offset {self.chance.randint(0, 5)}")

    def query(self) -> tuple[str, str]:
        """A query, and what it is."""
        self.can = set(SERVERS)
        shape = self.one_of("filter", "filter", "filter", "top", "group", "group", "whole", "distinct", "having", "join", "grouped join",
                            "outer join", "within", "top group", "nested", "counted")
        return getattr(self, shape.replace(" ", "_"))(), shape

    def filter(self) -> str:
        return f"select id, n, word, amount, day from t where {self.condition()}"

    def top(self) -> str:
        return f"select id, n, {self.keys()}, word from t{self.where()}{self.order('id')}{self.limit()}"

    def group(self) -> str:
        keys = self.keys()
        return f"select {keys}, {self.aggregates()} from t{self.where()} group by {keys}"

    def whole(self) -> str:
        return f"select {self.aggregates()} from t{self.where()}"

    def distinct(self) -> str:
        return f"select distinct {self.keys()} from t{self.where()}"

    def having(self) -> str:
        key = self.one_of("n", "word", "code", "day")
        limit = self.one_of(f"count(*) > {self.number()}", f"sum(n) > {self.number()}", f"min(word) < {self.text()}", f"max(amount) > {self.number()}")
        return f"select {key}, count(*), max(id) from t{self.where()} group by {key} having {limit}"

    def top_group(self) -> str:
        key = self.one_of("n", "word", "code", "day", "small")
        how = self.one_of("", "desc", "desc nulls last", "nulls first")
        value = self.one_of("count(*)", "sum(n)", "max(amount)", "min(word)", "max(day)")
        return f"select {key}, {value} from t{self.where()} group by {key} order by 2 {how}, 1{self.limit()}"

    def counted(self) -> str:
        """How many rows there are, for which ones is open."""
        return f"select count(*) from (select id from t where {self.condition()}{self.limit()}) s"

    def join_on(self) -> str:
        return self.one_of("t.other = u.id", "t.other = u.id", "t.n = u.n", "t.word = u.name", "t.n = u.n and t.word = u.name",
                           "t.day = u.since", "t.other = u.id and t.n > u.n", "t.amount = u.price", "t.id = u.id", "t.id = u.id and t.word = u.name")

    def join(self) -> str:
        wanted = self.one_of("t.id, u.id, t.word, u.name, u.price", "t.id, t.word, t.amount, t.moment", "u.*, t.n", "t.id, t.day, u.since, t.n + u.n")
        joined = self.one_of(f"t join u on {self.join_on()}", f"t join (select * from u where u.n > {self.number()}) u on {self.join_on()}",
                             f"(select * from t where {self.condition()}) t join u on {self.join_on()}",
                             f"t join u on {self.join_on()} join u v on v.id = u.n", f"t join t s on s.id = t.other join u on {self.join_on()}",
                             f"t join (select n as id, count(*) as n, min(word) as name, sum(amount) as price, max(day) as since from t group by n) u on {self.join_on()}")
        return f"select {wanted} from {joined}{self.where('t.')}"

    def grouped_join(self) -> str:
        key = self.one_of("u.name", "u.id", "t.code", "t.n, u.n", "u.since")
        return f"select {key}, {self.aggregates('t.')}, count(u.price), sum(u.price) from t join u on {self.join_on()}{self.where('t.')} group by {key}"

    def outer_join(self) -> str:
        kind = self.one_of("left", "right", "full")
        condition = f" where {self.condition('t.')}" if self.chance.random() < 0.6 else ""
        on = "t.other = u.id" if kind == "full" else self.join_on()
        other = self.one_of("u", "u", f"(select * from u where n > {self.number()}) u")
        return f"select t.id, u.id, u.name, u.price, u.since from t {kind} join {other} on {on}{condition}"

    def within(self) -> str:
        test = self.one_of("other in (select id from u where n > 2)", "exists (select 1 from u where u.id = t.other and u.price > 0)",
                           "n > (select avg(n) from u)", "n = (select max(n) from u where name = t.word)",
                           "not exists (select 1 from u where u.name = t.word)", "id in (select max(id) from t group by code)",
                           "not exists (select 1 from u where u.id = t.other and u.n < t.n)", "exists (select 1 from u where u.n = t.n)",
                           "other not in (select id from u where n > 2)", "id in (select other from t)", "word in (select name from u where price > 1)")
        return f"select id, word, n from t where {test} and {self.condition()}"

    def nested(self) -> str:
        return (f"select code, count(*), sum(total) from (select code, n, sum(amount) as total from t{self.where()} group by code, n) s "
                f"where {self.one_of('total > 0', 'n > 2', 'code is not null', 'total is null')} group by code")


def parts(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host, port


def session(address: str, database: str) -> psycopg.Connection:
    host, port = parts(address)
    made = psycopg.connect(host=host, port=port, user="postgres", dbname=database, autocommit=True, prepare_threshold=None)
    for name in ("numeric", "date", "timestamp", "timestamptz", "int2", "int4", "int8", "float8", "bool"):
        made.adapters.register_loader(name, TextLoader)
    return made


def constant(value) -> str:
    if value is None:
        return "null"
    return str(value) if isinstance(value, (int, Decimal)) else "'" + value.replace("'", "''") + "'"


def inserts(rows: list, table: str) -> str:
    return f"insert into {table} values " + ", ".join("(" + ", ".join(map(constant, row)) + ")" for row in rows)


def write(arguments: argparse.Namespace, rows: tuple[list, list]) -> None:
    def create(collation: str) -> list[str]:
        def declared(columns):
            return ", ".join(f"{name} {kind}{collation if 'varchar' in kind else ''}" for name, kind in columns)
        return [f"create table t ({declared(COLUMNS)})", f"create table u ({declared(OTHER)})", inserts(rows[0], "t"), inserts(rows[1], "u")]
    with session(arguments.postgres, "postgres") as made:
        made.execute(f"drop database if exists {DATABASE} with (force)")
        made.execute(f"create database {DATABASE}")
    with session(arguments.postgres, DATABASE) as made:
        made.execute("create schema marts; create schema truth")
        for schema, collation in [("truth", ' collate "C"'), ("marts", ' collate "POSIX"')]:
            made.execute(f"set search_path = {schema}")
            for statement in create(collation):
                made.execute(statement)
        made.execute("analyze")
    host, port = parts(arguments.mariadb)
    statements = "; ".join([f"drop database if exists {DATABASE}; create database {DATABASE} character set utf8mb4; use {DATABASE}", *create("")])
    statements = statements.replace("timestamp", "datetime").replace("\\", "\\\\")
    subprocess.run(["mariadb", "--no-defaults", "--default-character-set=utf8mb4", "--protocol=tcp", "-h", host, "-P", port, "-u", "root"],
                   input=statements.encode(), check=True)
    with sqlite3.connect(arguments.lake / "federated.db") as made:
        for statement in create(" collate nocase"):
            made.execute(statement)


def define(gateway: psycopg.Connection, arguments: argparse.Namespace) -> None:
    (host, port), (other_host, other_port) = parts(arguments.postgres), parts(arguments.mariadb)
    for statement in [
        f"create server p foreign data wrapper postgres options (host '{host}', port '{port}', dbname '{DATABASE}', sslmode 'disable')",
        "create user mapping for public server p options (user 'postgres')",
        f"create server m foreign data wrapper mysql options (host '{other_host}', port '{other_port}', sslmode 'disable')",
        "create user mapping for public server m options (user 'root')",
        "create server s foreign data wrapper sqlite options (database 'federated.db')",
        "create schema pg", "create schema my", "create schema lite",
        "import foreign schema marts from server p into pg",
        f"import foreign schema {DATABASE} from server m into my",
        "import foreign schema main from server s into lite",
        "set lakegate.result_cache = off",
    ]:
        gateway.execute(statement)


def asked(where: psycopg.Connection, query: str) -> list[tuple] | str:
    try:
        return [tuple("NULL" if value is None else str(value) for value in row) for row in where.execute(query).fetchall()]
    except psycopg.Error as error:
        return f"{error.sqlstate}: {error}"


def same_value(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return abs(Decimal(one) - Decimal(other)) <= Decimal("1e-12") * max(1, abs(Decimal(one)))
    except InvalidOperation:
        return False


def order_of(row: tuple) -> tuple:
    def key(value: str) -> tuple:
        try:
            return (0, round(Decimal(value), 10), "")
        except InvalidOperation:
            return (1, Decimal(0), value)
    return tuple(key(value) for value in row)


def same(one, other, is_ordered: bool) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        # A failure is the same by its code.
        return isinstance(one, str) and isinstance(other, str) and one[:5] == other[:5]
    if len(one) != len(other):
        return False
    if not is_ordered:
        one, other = sorted(one, key=order_of), sorted(other, key=order_of)
    return all(len(a) == len(b) and all(map(same_value, a, b)) for a, b in zip(one, other))


def plan_of(gateway: psycopg.Connection, query: str) -> str:
    plan = asked(gateway, f"explain (verbose) {query}")
    return plan if isinstance(plan, str) else "\n".join(row[0] for row in plan)


def is_judged_there(gateway: psycopg.Connection, query: str, server: str) -> bool:
    """Whether the server judges all of a query's filter, so that nothing is left to leave out here."""
    plan = plan_of(gateway, query)
    sent = [line for line in plan.splitlines() if "Remote SQL:" in line]
    if server == "my" and any(word in query for word in ("day", "moment")):
        # Dates are judged once more here.
        return any(" WHERE " in line for line in sent)
    return "FilterExec" not in plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path)
    for name in ("gateway", "postgres", "mariadb"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    given = os.environ.get("LAKEGATE_TEST_SEED")
    seed = arguments.seed if arguments.seed is not None else int(given) if given else random.SystemRandom().randrange(1 << 32)
    print(f"LAKEGATE_TEST_SEED={seed}", flush=True)
    chance = random.Random(seed)
    write(arguments, rows_of(chance))
    truth, gateway = session(arguments.postgres, DATABASE), session(arguments.gateway, "lake")
    truth.execute("set search_path = truth")
    define(gateway, arguments)
    questions = Questions(chance)
    wrong, tried, judged, shapes = 0, Counter(), Counter(), Counter()
    sent_more = Counter()
    for number in range(arguments.queries):
        query, shape = questions.query()
        shapes[shape] += 1
        expected = asked(truth, query)
        ways = [(server, "on") for server in SERVERS] + [(SERVERS[number % len(SERVERS)], "off")]
        for server, pushdown in ways:
            gateway.execute(f"set search_path = {server}; set lakegate.remote_pushdown = {pushdown}")
            found = asked(gateway, query)
            if not same(expected, found, shape.startswith("top")):
                wrong += 1
                plan = asked(gateway, f"explain (verbose) {query}")
                print(f"seed {seed}, query {number}, {shape}, {server}, pushdown {pushdown}:\n  {query}\n  PostgreSQL {expected[:6]}\n"
                      f"  Lakegate   {found[:6]}\n  {[row for row in plan if 'Remote' in str(row)]}", flush=True)
            if pushdown == "on" and shape == "filter" and server in questions.can:
                tried[server] += 1
                judged[server] += is_judged_there(gateway, query, server)
            elif pushdown == "on" and shape in ("top", "group", "whole", "distinct", "having", "top group", "join", "outer join", "within", "grouped join"):
                plan = plan_of(gateway, query)
                word = {"top": " ORDER BY ", "join": " JOIN ", "outer join": " JOIN ", "within": "EXISTS (SELECT "}.get(shape, "GROUP BY" if shape != "whole" else "(SELECT ")
                sent_more[f"{shape} {server}"] += any(word in line for line in plan.splitlines() if "Remote SQL:" in line)
                tried[f"{shape} {server}"] += 1
    total, total_judged = sum(tried[server] for server in SERVERS), sum(judged[server] for server in SERVERS)
    share = total_judged / max(total, 1)
    for server in SERVERS:
        print(f"{server}: {judged[server]} of {tried[server]} filters judged there")
    for name in sorted(sent_more):
        print(f"{name}: {sent_more[name]} of {tried[name]} sent")
    print(f"{arguments.queries} queries, {total_judged} of {total} filters that a server can mean were judged there: {share:.0%}; {dict(shapes)}")
    if wrong:
        sys.exit(f"{wrong} answers differ (seed {seed})")
    if share < SHARE_MIN:
        sys.exit(f"only {share:.0%} of the filters were judged by servers (seed {seed})")


if __name__ == "__main__":
    main()
