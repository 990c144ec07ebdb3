#!/usr/bin/env python3
"""Measures what catalogs cost tools: 2,000 Delta tables of 50 columns, and a view of 200, beside a PostgreSQL that holds the
same.

    benches/catalog.py --program target/demo/lakegate [--rounds 9]

A round asks each program, in turns: what psql asks for `\\d+` of the view, what Npgsql 4 asks at its first connection, what
Power BI's navigator asks for its list and for one table of it, and for every column there is. Figures are medians of
rounds; the first round of all, for which tables are opened, is told apart. The client is a raw socket.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from start import Postgres, in_turns, lakegate, show

N_SCHEMAS, N_TABLES, N_COLUMNS, N_VIEW_COLUMNS = 20, 100, 50, 200
TYPES = [("long", "bigint"), ("string", "text"), ("double", "double precision"), ("timestamp", "timestamptz"),
         ("date", "date"), ("decimal(18,2)", "numeric(18,2)"), ("boolean", "boolean"), ("integer", "integer")]

# What psql 16 sends for `\d+ gold.wide`; the relation's OID comes from the first answer.
FIND = """SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.~) '^(wide)$' COLLATE pg_catalog.default
  AND n.nspname OPERATOR(pg_catalog.~) '^(gold)$' COLLATE pg_catalog.default ORDER BY 2, 3;"""
DESCRIBE = ["""SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity,
  c.relforcerowsecurity, false AS relhasoids, c.relispartition,
  pg_catalog.array_to_string(c.reloptions || array(select 'toast.' || x from pg_catalog.unnest(tc.reloptions) x), ', '),
  c.reltablespace, CASE WHEN c.reloftype = 0 THEN '' ELSE c.reloftype::pg_catalog.regtype::pg_catalog.text END,
  c.relpersistence, c.relreplident, am.amname
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid)
LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid) WHERE c.oid = '{oid}';""",
            """SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
  (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d
   WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull,
  (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t
   WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation,
  a.attidentity, a.attgenerated, a.attstorage, pg_catalog.col_description(a.attrelid, a.attnum)
FROM pg_catalog.pg_attribute a WHERE a.attrelid = '{oid}' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;""",
            "SELECT pg_catalog.pg_get_viewdef('{oid}'::pg_catalog.oid, true);",
            """SELECT r.rulename, trim(trailing ';' from pg_catalog.pg_get_ruledef(r.oid, true)) FROM pg_catalog.pg_rewrite r
WHERE r.ev_class = '{oid}' AND r.rulename != '_RETURN' ORDER BY 1;"""]

# Npgsql 4: the types it knows, the fields of composite ones, the labels of enums.
TYPE_LOAD = ["""SELECT ns.nspname, a.typname, a.oid, a.typrelid, a.typbasetype,
CASE WHEN pg_proc.proname='array_recv' THEN 'a' ELSE a.typtype END AS type,
CASE WHEN pg_proc.proname='array_recv' THEN a.typelem WHEN a.typtype='r' THEN rngsubtype ELSE 0 END AS elemoid,
CASE WHEN pg_proc.proname IN ('array_recv','oidvectorrecv') THEN 3 WHEN a.typtype='r' THEN 2 WHEN a.typtype='d' THEN 1
  ELSE 0 END AS ord
FROM pg_type AS a JOIN pg_namespace AS ns ON (ns.oid = a.typnamespace) JOIN pg_proc ON pg_proc.oid = a.typreceive
LEFT OUTER JOIN pg_class AS cls ON (cls.oid = a.typrelid) LEFT OUTER JOIN pg_type AS b ON (b.oid = a.typelem)
LEFT OUTER JOIN pg_class AS elemcls ON (elemcls.oid = b.typrelid) LEFT OUTER JOIN pg_range ON (pg_range.rngtypid = a.oid)
WHERE a.typtype IN ('b', 'r', 'e', 'd') OR (a.typtype = 'c' AND cls.relkind='c') OR
  (pg_proc.proname='array_recv' AND (b.typtype IN ('b', 'r', 'e', 'd') OR
    (b.typtype = 'p' AND b.typname IN ('record', 'void')) OR (b.typtype = 'c' AND elemcls.relkind='c'))) OR
  (a.typtype = 'p' AND a.typname IN ('record', 'void'))
ORDER BY ord""",
             """SELECT typ.oid, att.attname, att.atttypid FROM pg_type AS typ
JOIN pg_namespace AS ns ON (ns.oid = typ.typnamespace) JOIN pg_class AS cls ON (cls.oid = typ.typrelid)
JOIN pg_attribute AS att ON (att.attrelid = typ.typrelid)
WHERE (typ.typtype = 'c' AND cls.relkind='c') AND attnum > 0 AND NOT attisdropped ORDER BY typ.oid, att.attnum""",
             "SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid=enumtypid ORDER BY oid, enumsortorder"]

# Power BI's navigator: the list, then columns, relationships and keys of the table that is looked at.
NAVIGATOR = ["select character_set_name from INFORMATION_SCHEMA.character_sets",
             """select TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE from INFORMATION_SCHEMA.tables
where TABLE_SCHEMA not in ('information_schema', 'pg_catalog') order by TABLE_SCHEMA, TABLE_NAME""",
             """select COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE,
  case when (data_type like '%unsigned%') then DATA_TYPE || ' unsigned' else DATA_TYPE end as DATA_TYPE
from INFORMATION_SCHEMA.columns where TABLE_SCHEMA = 's07' and TABLE_NAME = 't050'
order by TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION""",
             """select pkcol.COLUMN_NAME as PK_COLUMN_NAME, fkcol.TABLE_SCHEMA AS FK_TABLE_SCHEMA,
  fkcol.TABLE_NAME AS FK_TABLE_NAME, fkcol.COLUMN_NAME as FK_COLUMN_NAME, fkcol.ORDINAL_POSITION as ORDINAL,
  fkcon.CONSTRAINT_SCHEMA || '_' || fkcol.TABLE_NAME || '_' || 't050' || '_' || fkcon.CONSTRAINT_NAME as FK_NAME
from (select distinct constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name,
        unique_constraint_name from INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS) fkcon
  inner join INFORMATION_SCHEMA.KEY_COLUMN_USAGE fkcol on fkcon.CONSTRAINT_SCHEMA = fkcol.CONSTRAINT_SCHEMA
    and fkcon.CONSTRAINT_NAME = fkcol.CONSTRAINT_NAME
  inner join INFORMATION_SCHEMA.KEY_COLUMN_USAGE pkcol on fkcon.UNIQUE_CONSTRAINT_SCHEMA = pkcol.CONSTRAINT_SCHEMA
    and fkcon.UNIQUE_CONSTRAINT_NAME = pkcol.CONSTRAINT_NAME
where pkcol.TABLE_SCHEMA = 's07' and pkcol.TABLE_NAME = 't050' and pkcol.ORDINAL_POSITION = fkcol.ORDINAL_POSITION
order by FK_NAME, fkcol.ORDINAL_POSITION""",
             """select i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME as INDEX_NAME, ii.COLUMN_NAME, ii.ORDINAL_POSITION,
  case when i.CONSTRAINT_TYPE = 'PRIMARY KEY' then 'Y' else 'N' end as PRIMARY_KEY
from INFORMATION_SCHEMA.table_constraints i inner join INFORMATION_SCHEMA.key_column_usage ii on
  i.CONSTRAINT_SCHEMA = ii.CONSTRAINT_SCHEMA and i.CONSTRAINT_NAME = ii.CONSTRAINT_NAME and
  i.TABLE_SCHEMA = ii.TABLE_SCHEMA and i.TABLE_NAME = ii.TABLE_NAME
where i.TABLE_SCHEMA = 's07' and i.TABLE_NAME = 't050' and i.CONSTRAINT_TYPE in ('PRIMARY KEY', 'UNIQUE')
order by i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME, ii.TABLE_SCHEMA, ii.TABLE_NAME, ii.ORDINAL_POSITION"""]

EVERY_COLUMN = """select table_schema, table_name, column_name, data_type, is_nullable from information_schema.columns
where table_schema not in ('information_schema', 'pg_catalog') order by 1, 2, ordinal_position"""

GOALS = {"`\\d+` of 200 columns, ms": 20, "type load and navigator, ms": 300}


def columns(kind: int, count: int = N_COLUMNS) -> list[tuple[str, str]]:
    return [(f"c{number:02}", TYPES[number % len(TYPES)][kind]) for number in range(count)]


def view_columns() -> str:
    return ", ".join(f"c{number % N_COLUMNS:02} as d{number:03}" for number in range(N_VIEW_COLUMNS))


def make_lake(folder: Path) -> tuple[Path, Path]:
    """Delta tables without rows, and the view."""
    lake, views = folder / "lake", folder / "views"
    fields = [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in columns(0)]
    schema = json.dumps({"type": "struct", "fields": fields})
    for number in range(N_SCHEMAS * N_TABLES):
        log = lake / f"s{number // N_TABLES:02}/t{number % N_TABLES:03}/_delta_log"
        log.mkdir(parents=True)
        actions = [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
                   {"metaData": {"id": f"00000000-0000-0000-0000-{number:012}", "schemaString": schema,
                                 "format": {"provider": "parquet", "options": {}}, "partitionColumns": [],
                                 "configuration": {}, "createdTime": 1_700_000_000_000}}]
        (log / f"{0:020}.json").write_text("".join(json.dumps(action) + "\n" for action in actions))
    (views / "gold").mkdir(parents=True)
    (views / "gold/wide.sql").write_text(f"create view gold.wide as select {view_columns()} from s00.t000;\n")
    return lake, views


def fill(client) -> None:
    """The same in PostgreSQL."""
    listed = ", ".join(f"{name} {kind}" for name, kind in columns(1))
    client.query("create schema gold; " + "; ".join(f"create schema s{number:02}" for number in range(N_SCHEMAS)))
    for schema in range(N_SCHEMAS):
        client.query("; ".join(f"create table s{schema:02}.t{table:03} ({listed})" for table in range(N_TABLES)))
    client.query(f"create view gold.wide as select {view_columns()} from s00.t000")
    client.query("vacuum analyze pg_catalog.pg_class; ")
    client.query("vacuum analyze pg_catalog.pg_attribute")


def ask(client) -> dict[str, float]:
    def timed(statements: list[str]) -> tuple[float, list]:
        started = time.perf_counter()
        answers = [client.query(statement) for statement in statements]
        return (time.perf_counter() - started) * 1000, answers

    find, ((row,),) = timed([FIND])
    length = int.from_bytes(row[2:6], "big")
    oid = row[6:6 + length].decode()
    describe, answers = timed([statement.format(oid=oid) for statement in DESCRIBE])
    assert [len(rows) for rows in answers] == [1, N_VIEW_COLUMNS, 1, 0], answers
    load, types = timed(TYPE_LOAD)
    assert len(types[0]) > 100, types
    navigator, (_, tables, of_one, *_) = timed(NAVIGATOR)
    assert len(tables) >= N_SCHEMAS * N_TABLES + 1 and len(of_one) == N_COLUMNS, (len(tables), len(of_one))
    every, (rows,) = timed([EVERY_COLUMN])
    assert len(rows) >= N_SCHEMAS * N_TABLES * N_COLUMNS + N_VIEW_COLUMNS, len(rows)
    return {"`\\d+` of 200 columns, ms": find + describe, "type load and navigator, ms": load + navigator,
            "every column, ms": every}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lakegate-bench-") as folder:
        os.chmod(folder, 0o755)
        lake, views = make_lake(Path(folder))
        servers = {"lakegate": lakegate(arguments.program, lake, ["--views", views, "--state", Path(folder) / "state"]),
                   "postgres": Postgres(Path(folder)).start()}
        try:
            clients = {name: server.connect() for name, server in servers.items()}
            fill(clients["postgres"])
            show("The first round", {name: ask(client) for name, client in clients.items()}, {})
            runs = {name: lambda client=client: ask(client) for name, client in clients.items()}
            met = show(f"Medians of {arguments.rounds} rounds", in_turns(arguments.rounds, runs), GOALS)
            # By then tables may have changed: they are looked at again.
            rested = []
            for _ in range(3):
                time.sleep(6)
                rested.append({name: ask(client) for name, client in clients.items()})
            medians = {name: {figure: statistics.median(round_[name][figure] for round_ in rested)
                              for figure in rested[0][name]} for name in clients}
            met &= show("After a rest of six seconds each", medians, GOALS)
        finally:
            for server in servers.values():
                server.stop()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
