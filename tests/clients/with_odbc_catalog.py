"""Every catalog function of psqlODBC: those of pyodbc, the two of privileges that it lacks, and all that SQLGetInfo tells."""

import sys
from collections.abc import Callable
from typing import Any

import pyodbc

import answers
import odbc_privileges
from odbc_connection import connection_string

# Lakegate's own schema, which PostgreSQL does not have.
OWN_SCHEMA = "lakegate"
RELATIONS = (("buyers", "shop"), ("purchases", "shop"), ("purchase_totals", "shop"), ("Orders", "public"), ("users", "public"),
             ("no_such_table", "shop"), ("pg_class", "pg_catalog"))


def attempt(name: str, run: Callable[[], Any]) -> None:
    def guarded() -> Any:
        try:
            return run()
        except pyodbc.Error as error:
            raise answers.Failed(error.args[0]) from error
        except odbc_privileges.Failed as error:
            raise answers.Failed(str(error)) from error
    answers.attempt(name, guarded)


def rows(cursor: pyodbc.Cursor) -> list:
    """Names of columns, and rows by what they say, for not every list has an order. OIDs are each server's own."""
    columns = [column[0] for column in cursor.description]
    kept = [at for at, name in enumerate(columns) if name != "table oid"]
    came = [tuple(row[at] for at in kept) for row in cursor.fetchall() if OWN_SCHEMA not in tuple(row)]
    return [[columns[at] for at in kept], *sorted(came, key=str)]


def lists(connection: pyodbc.Connection) -> None:
    """Lists of tables in every way that ODBC has of asking: % alone lists the catalogs, the schemas, the types."""
    asked = ({}, {"schema": "shop"}, {"schema": "public", "tableType": "TABLE"}, {"tableType": "VIEW"}, {"tableType": "SYSTEM TABLE"},
             {"table": "buy%", "schema": "shop"}, {"catalog": "%", "table": "", "schema": ""}, {"schema": "%", "table": "", "catalog": ""},
             {"tableType": "%", "table": "", "schema": "", "catalog": ""}, {"schema": "%", "tableType": "TABLE,VIEW"}, {"table": "Orders"})
    for given in asked:
        attempt(f"SQLTables {given}", lambda: rows(connection.cursor().tables(**given)))
    for given in ({"schema": "shop"}, {"schema": "pg_catalog", "procedure": "array%"}, {"procedure": "no_such_function"}):
        attempt(f"SQLProcedures {given}", lambda: rows(connection.cursor().procedures(**given)))
        attempt(f"SQLProcedureColumns {given}", lambda: rows(connection.cursor().procedureColumns(**given)))


def of_relations(connection: pyodbc.Connection, table: str, schema: str) -> None:
    name = f"{schema}.{table}"

    def cursor() -> pyodbc.Cursor:
        return connection.cursor()
    attempt(f"SQLColumns {name}", lambda: rows(cursor().columns(table=table, schema=schema)))
    attempt(f"SQLColumns {name} id", lambda: rows(cursor().columns(table=table, schema=schema, column="id")))
    attempt(f"SQLPrimaryKeys {name}", lambda: rows(cursor().primaryKeys(table=table, schema=schema)))
    attempt(f"SQLForeignKeys of {name}", lambda: rows(cursor().foreignKeys(foreignTable=table, foreignSchema=schema)))
    attempt(f"SQLForeignKeys to {name}", lambda: rows(cursor().foreignKeys(table=table, schema=schema)))
    attempt(f"SQLStatistics {name}", lambda: rows(cursor().statistics(table=table, schema=schema)))
    attempt(f"SQLStatistics unique {name}", lambda: rows(cursor().statistics(table=table, schema=schema, unique=True, quick=False)))
    attempt(f"SQLSpecialColumns row {name}", lambda: rows(cursor().rowIdColumns(table=table, schema=schema)))
    attempt(f"SQLSpecialColumns version {name}", lambda: rows(cursor().rowVerColumns(table=table, schema=schema)))


def information(connection: pyodbc.Connection) -> None:
    for name in sorted(vars(pyodbc)):
        number = getattr(pyodbc, name)
        if not name.startswith("SQL_") or not isinstance(number, int):
            continue
        try:
            told = connection.getinfo(number)
        except (pyodbc.Error, UnicodeDecodeError):
            # Most of pyodbc's numbers are no kind of information.
            continue
        answers.attempt(f"SQLGetInfo {name}", lambda: told)


def main() -> None:
    sys.stdin.read()
    connection = pyodbc.connect(connection_string(), autocommit=True)
    lists(connection)
    for table, schema in RELATIONS:
        of_relations(connection, table, schema)
    attempt("SQLGetTypeInfo", lambda: rows(connection.cursor().getTypeInfo()))
    for kind in (pyodbc.SQL_INTEGER, pyodbc.SQL_VARCHAR, pyodbc.SQL_TYPE_TIMESTAMP, pyodbc.SQL_GUID):
        attempt(f"SQLGetTypeInfo {kind}", lambda: rows(connection.cursor().getTypeInfo(kind)))
    information(connection)
    connection.close()
    privileges = odbc_privileges.Privileges(connection_string())
    for table, schema in (*RELATIONS, ("%", "shop")):
        attempt(f"SQLTablePrivileges {schema}.{table}", lambda: sorted(privileges.listed("SQLTablePrivileges", None, schema, table), key=str))
    for table, schema in RELATIONS:
        attempt(f"SQLColumnPrivileges {schema}.{table}", lambda: privileges.listed("SQLColumnPrivileges", None, schema, table, "%"))
    privileges.close()


main()
