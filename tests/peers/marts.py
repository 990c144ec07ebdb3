#!/usr/bin/env python3
"""The demo's marts in every kind of server: what the gateway reads of each, beside SQLite and DuckDB.

    python3 marts.py LAKE --gateway HOST:PORT --postgres HOST:PORT --mariadb HOST:PORT

The demo's warehouse is a file of SQLite. Its tables and its view are copied into a database of PostgreSQL and one of
MariaDB, typed as it declares them. Then all that the warehouse has is read through the gateway from each of the three,
and so is what the demo's reports say of it: views over the marts, some joined with the lake. The rows must be those
that SQLite has itself, or that DuckDB computes of SQLite's rows and the lake's files.
"""

import argparse
import csv
import io
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import psycopg
from compare import normal

DATABASE = "warehouse_marts"
# What the demo calls its own, and what the copies are called.
SCHEMAS = ["warehouse", "warehouse_pg", "warehouse_my"]
# Of the view, whose third column is computed: SQLite declares no type of it.
LICENSES = "select company, product, seats, cast(monthly_price as numeric(14, 2)), valid_from, valid_to from {s}.mart_licenses"

# Reports over the marts. DuckDB is asked the same, with the lake's files as tables.
REPORTS = {
    "usage_by_continent": """select c.continent, u.product, u.month, sum(u.requests) as requests, max(u.active_users_max) as peak,
        count(distinct u.company) as n_companies from {s}.mart_usage u join {countries} c on c.code = u.country group by 1, 2, 3""",
    "companies_abroad": "select company, product, sum(requests) as requests from {s}.mart_usage where country is null or country <> 'US' group by company, product",
    "seats_in_use": """select l.product, count(*) as n_licenses, sum(l.seats) as seats, sum(u.busiest) as busiest
        from {s}.core_licenses l left join (select license_id, max(active_users) as busiest from {s}.core_usage group by license_id) u
        on u.license_id = l.id group by l.product""",
    "ended_licenses": """select c.name, l.product, l.price, l.valid_from, l.valid_to from {s}.core_licenses l
        join {s}.core_companies c on c.id = l.company_id where l.valid_to is not null and l.valid_to < date '2026-09-01'""",
    "industries": """select c.industry, k.continent, count(*) as n_licenses, sum(l.seats * l.price) as worth
        from {s}.core_companies c join {s}.core_licenses l on l.company_id = c.id
        left join {countries} k on k.code = c.country group by c.industry, k.continent""",
    "idle_days": """select l.id, count(*) as n_days from {s}.core_licenses l join {s}.core_usage u on u.license_id = l.id
        where u.active_users = 0 and u.day >= date '2026-02-01' group by l.id""",
    "staged_but_not_taken": """select s.license_id, s.product from {s}.staging_licenses s
        where not exists (select 1 from {s}.core_licenses l where cast(l.id as text) = s.license_id)
        or s.valid_to = ''""",
    "busiest_month": """select company, product, month, requests from (select u.*, row_number() over
        (partition by company, product order by requests desc, month) as place from {s}.mart_usage u) r where place = 1""",
}


def parts(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host, port


def definitions(warehouse: sqlite3.Connection) -> tuple[dict[str, str], str]:
    """The statement that makes each table, and the one that makes the view."""
    rows = warehouse.execute("select type, name, sql from sqlite_master where sql is not null order by rowid").fetchall()
    tables = {name: sql for kind, name, sql in rows if kind == "table"}
    views = [sql for kind, _, sql in rows if kind == "view"]
    assert len(tables) == 7 and len(views) == 1, f"the warehouse has other tables: {rows}"
    return tables, views[0]


def as_csv(rows: list[tuple], null: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    writer.writerows([null if value is None else value for value in row] for row in rows)
    return text.getvalue()


def to_postgres(warehouse: sqlite3.Connection, address: str) -> None:
    host, port = parts(address)
    tables, view = definitions(warehouse)
    login = {"host": host, "port": port, "user": "postgres", "autocommit": True}
    with psycopg.connect(dbname="postgres", **login) as session:
        session.execute(f"drop database if exists {DATABASE} with (force)")
        session.execute(f"create database {DATABASE}")
    with psycopg.connect(dbname=DATABASE, **login) as session:
        for name, sql in tables.items():
            session.execute(sql)
            rows = warehouse.execute(f"select * from {name}").fetchall()
            with session.cursor().copy(f"copy {name} from stdin (format csv, null '\\N')") as copy:
                copy.write(as_csv(rows, "\\N"))
        session.execute(view)
        session.execute("analyze")


def to_mariadb(warehouse: sqlite3.Connection, address: str, folder: Path) -> None:
    host, port = parts(address)
    tables, view = definitions(warehouse)
    statements = [f"drop database if exists {DATABASE}; create database {DATABASE} character set utf8mb4; use {DATABASE}"]
    for name, sql in tables.items():
        # A key of MySQL's has texts of a length.
        statements.append(sql.replace(" text", " varchar(80)"))
        path = folder / f"{name}.csv"
        path.write_text(as_csv(warehouse.execute(f"select * from {name}").fetchall(), "NULL"), encoding="utf-8")
        statements.append(f"load data local infile '{path}' into table {name} character set utf8mb4 "
                          "fields terminated by ',' optionally enclosed by '\"' escaped by '' lines terminated by '\\n'")
    statements += [view, "analyze table " + ", ".join(tables)]
    command = ["mariadb", "--no-defaults", "--protocol=tcp", "--local-infile=1", "-h", host, "-P", port, "-u", "root"]
    subprocess.run([*command, "-e", "; ".join(statements)], check=True, stdout=subprocess.DEVNULL)


def define(gateway: psycopg.Connection, given: argparse.Namespace) -> None:
    (host, port), (other_host, other_port) = parts(given.postgres), parts(given.mariadb)
    for statement in [
        f"create server copy_pg foreign data wrapper postgres options (host '{host}', port '{port}', dbname '{DATABASE}', sslmode 'disable')",
        "create user mapping for public server copy_pg options (user 'postgres')",
        f"create server copy_my foreign data wrapper mysql options (host '{other_host}', port '{other_port}', sslmode 'disable')",
        "create user mapping for public server copy_my options (user 'root')",
        "create schema warehouse_pg; create schema warehouse_my; create schema reports",
        "import foreign schema public from server copy_pg into warehouse_pg",
        f"import foreign schema {DATABASE} from server copy_my into warehouse_my",
    ]:
        gateway.execute(statement)
    for schema in SCHEMAS:
        for name, report in REPORTS.items():
            gateway.execute(f"create view reports.{schema}_{name} as {report.format(s=schema, countries='gold.countries')}")


def truth(warehouse: sqlite3.Connection, lake: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB with the rows that SQLite gives, as a schema, and a file of the lake."""
    duck = duckdb.connect()
    duck.execute("create schema w")
    tables, view = definitions(warehouse)
    for name, sql in tables.items():
        duck.execute(sql.replace(f"create table {name}", f"create table w.{name}").replace(f"CREATE TABLE {name}", f"create table w.{name}")
                     .replace("references core_", "references w.core_"))
        rows = warehouse.execute(f"select * from {name}").fetchall()
        marks = ", ".join("?" for _ in rows[0])
        duck.executemany(f"insert into w.{name} values ({marks})", rows)
    duck.execute("use w")
    duck.execute(view)
    duck.execute(f"create view countries as select * from read_parquet('{lake}/gold/countries.parquet')")
    return duck


def bag(rows: list[tuple]) -> Counter:
    return Counter(repr(tuple(normal(value) for value in row)) for row in rows)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("lake", type=Path)
    for name in ("gateway", "postgres", "mariadb"):
        arguments.add_argument(f"--{name}", required=True)
    given = arguments.parse_args()
    warehouse = sqlite3.connect(given.lake / "warehouse.db")
    to_postgres(warehouse, given.postgres)
    to_mariadb(warehouse, given.mariadb, given.lake)
    host, port = parts(given.gateway)
    gateway = psycopg.connect(host=host, port=port, user="postgres", dbname="lake", autocommit=True)
    define(gateway, given)
    duck, failures, n_rows = truth(warehouse, given.lake), [], 0
    asked = {name: (f"select * from {{s}}.{name}", f"select * from w.{name}") for name in definitions(warehouse)[0]}
    asked["mart_licenses"] = (LICENSES, LICENSES.format(s="w"))
    for name, report in REPORTS.items():
        asked[name] = (f"select * from reports.{{s}}_{name}", report.format(s="w", countries="countries"))
    for name, (query, theirs) in asked.items():
        rows = duck.execute(theirs).fetchall()
        assert rows, f"{name}: an empty answer proves nothing"
        expected, n_rows = bag(rows), n_rows + len(rows)
        for schema in SCHEMAS:
            try:
                found = bag(gateway.execute(query.format(s=schema)).fetchall())
            except psycopg.Error as error:
                failures.append(f"{name} of {schema}: {error}")
                continue
            if found != expected:
                failures.append(f"{name} of {schema}: {found.total()} rows, not {expected.total()}\n"
                                + "\n".join(f"  DuckDB   {row}" for row in list((expected - found).elements())[:3]) + "\n"
                                + "\n".join(f"  Lakegate {row}" for row in list((found - expected).elements())[:3]))
    print("\n".join(failures))
    print(f"{len(asked)} relations and reports of {len(SCHEMAS)} servers, {n_rows} rows each")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
