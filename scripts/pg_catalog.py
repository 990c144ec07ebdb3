#!/usr/bin/env python3
"""Writes src/catalog/system/data/ from a real PostgreSQL 16.

    python3 -m venv .venv && .venv/bin/pip install pgserver==0.1.4 && .venv/bin/python scripts/pg_catalog.py

`relations.tsv` lists the relations of pg_catalog and information_schema with their columns: name, type
(and its modifier), whether it is NOT NULL, and where there is one or the other, its domain and its order of texts. `<relation>.tsv` holds rows in the text format of COPY, as the columns of
`relations.tsv` order them. The rows are PostgreSQL's, under the PostgreSQL licence (data/LICENSE).
"""

import pathlib
import tempfile

import pgserver

DATA = pathlib.Path(__file__).parent.parent / "src/catalog/system/data"

# Relations whose rows are the same in every database, and the condition for a row to be kept.
# Left out are those about objects Lakegate makes itself (pg_class ...), those that only matter
# inside a server (pg_rewrite, pg_statistic, pg_init_privs), and the rows that describe them.
STATIC = {
    "pg_aggregate": "true",
    "pg_am": "true",
    "pg_amop": "true",
    "pg_amproc": "true",
    "pg_cast": "true",
    "pg_collation": "true",
    "pg_conversion": "true",
    "pg_description": "classoid IN ('pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass,"
    " 'pg_cast'::regclass, 'pg_am'::regclass, 'pg_collation'::regclass, 'pg_namespace'::regclass,"
    " 'pg_language'::regclass, 'pg_ts_config'::regclass, 'pg_ts_dict'::regclass,"
    " 'pg_ts_parser'::regclass, 'pg_ts_template'::regclass)",
    "pg_enum": "true",
    "pg_language": "true",
    "pg_namespace": "nspname NOT LIKE 'pg_temp%' AND nspname NOT LIKE 'pg_toast%' AND nspname <> 'public'",
    "pg_opclass": "true",
    "pg_operator": "true",
    "pg_opfamily": "true",
    "pg_proc": "true",
    "pg_range": "true",
    "pg_tablespace": "true",
    "pg_ts_config": "true",
    "pg_ts_config_map": "true",
    "pg_ts_dict": "true",
    "pg_ts_parser": "true",
    "pg_ts_template": "true",
    # Row types, and arrays of them, belong to the relations of one cluster.
    "pg_type": "typrelid = 0 AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typrelid <> 0)",
}

# Relations of information_schema whose rows are the same in every database.
STANDARD = ("sql_features", "sql_implementation_info", "sql_parts", "sql_sizing")

# RowDescription shows a domain as the type it is made of, so that comes first.
RELATIONS = """
SELECT n.nspname, c.relname, c.oid, c.relkind,
       string_agg(a.attname || ' ' || CASE WHEN t.typbasetype = 0 THEN t.oid ELSE t.typbasetype END
                  || coalesce(':' || nullif(CASE WHEN t.typbasetype = 0 THEN a.atttypmod ELSE t.typtypmod END, -1), '')
                  || CASE WHEN a.attnotnull THEN ' t' ELSE ' f' END
                  || CASE WHEN t.typbasetype <> 0 OR a.attcollation <> t.typcollation
                     THEN ' ' || CASE WHEN t.typbasetype <> 0 THEN t.oid::text ELSE '-' END ELSE '' END
                  || CASE WHEN a.attcollation <> t.typcollation THEN ' ' || a.attcollation ELSE '' END,
                  ',' ORDER BY a.attnum)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'v')
  AND n.nspname IN ('pg_catalog', 'information_schema')
GROUP BY 1, 2, 3, 4
ORDER BY n.nspname DESC, c.relname
"""

SIGNATURES = """
SELECT oid, pg_get_function_arguments(oid), nullif(pg_get_function_identity_arguments(oid),
       pg_get_function_arguments(oid)), pg_get_function_result(oid)
FROM pg_proc ORDER BY oid
"""


def copy(server, query):
    """The rows of a query, in the text format of COPY."""
    flat = " ".join(query.split())
    return server.psql(f"SET search_path = pg_catalog;\nCOPY ({flat}) TO STDOUT").removeprefix("SET\n")


def rows(server, relation, condition, schema="pg_catalog"):
    """The rows of a static relation, in the order of their first columns.

    Function and type references are written as OIDs: their names are not unique.
    """
    columns = server.psql(
        "COPY (SELECT string_agg(attname || CASE WHEN atttypid IN ('regproc'::regtype, 'regtype'::regtype)"
        " THEN '::oid' ELSE '' END, ', ' ORDER BY attnum) FROM pg_attribute"
        f" WHERE attrelid = '{schema}.{relation}'::regclass AND attnum > 0) TO STDOUT"
    )
    return copy(server, f"SELECT {columns} FROM {schema}.{relation} t WHERE {condition} ORDER BY 1, 2, 3")


def main():
    """Starts a server in a temporary folder and writes every file."""
    with tempfile.TemporaryDirectory() as folder:
        server = pgserver.get_server(folder, cleanup_mode="delete")
        files = {"relations": copy(server, RELATIONS)}
        files |= {name: rows(server, name, condition) for name, condition in STATIC.items()}
        files |= {name: rows(server, name, "true", "information_schema") for name in STANDARD}
        files["signatures"] = copy(server, SIGNATURES)
        # PostgreSQL has no relation of them, only the function.
        files["keywords"] = copy(server, "SELECT * FROM pg_get_keywords() ORDER BY word")
        for name, text in files.items():
            (DATA / f"{name}.tsv").write_text(text)
        server.cleanup()


if __name__ == "__main__":
    main()
