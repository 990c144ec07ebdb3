"""psqlODBC by pyodbc, with rows at once and by cursors (UseDeclareFetch), and with parameters in both ways it has."""

import sys
from typing import Any

import pyodbc

import answers
from odbc_connection import connection_string


def connect(**options: Any) -> pyodbc.Connection:
    return pyodbc.connect(connection_string(**options), autocommit=True)


def executor(connection: pyodbc.Connection) -> answers.Execute:
    def execute(sql: str, values: tuple) -> tuple[Any, list]:
        try:
            cursor = connection.execute(sql, *values)
            columns = [(name, kind.__name__, *sizes) for name, kind, *sizes in cursor.description]
            return columns, [list(row) for row in cursor.fetchall()]
        except pyodbc.Error as error:
            raise answers.Failed(f"{error.args[0]} {type(error).__name__}") from error
    return execute


def catalogue(connection: pyodbc.Connection) -> list:
    """What applications list: tables, columns, and the types of columns."""
    try:
        cursor = connection.cursor()
        tables = [(row.table_schem, row.table_name) for row in cursor.tables(schema="every_type")]
        columns = [(row.column_name, row.type_name, row.data_type, row.column_size, row.nullable)
                   for row in cursor.columns(table="samples", schema="every_type")]
        return [tables, columns]
    except pyodbc.Error as error:
        raise answers.Failed(error.args[0]) from error


def in_transaction(connection: pyodbc.Connection) -> list:
    came = []
    connection.autocommit = False
    execute = executor(connection)
    for sql in ("select 1 as v", "select 1/0 as v", "select 2 as v"):
        try:
            came.append(execute(sql, ())[1])
        except answers.Failed as failed:
            came.append(str(failed))
    connection.rollback()
    came.append(execute("select 3 as v", ())[1])
    connection.commit()
    connection.autocommit = True
    return came


# By the argument: rows at once and statements prepared on the server, or all rows by cursors of two.
OPTIONS = {
    "prepare": {"UseServerSidePrepare": 1},
    "declare_fetch": {"UseServerSidePrepare": 0, "UseDeclareFetch": 1, "Fetch": 2},
}


def main() -> None:
    questions = answers.read_questions()
    connection = connect(**OPTIONS[sys.argv[1]])
    answers.ask(questions, executor(connection), "?")
    answers.attempt("tables and columns", lambda: catalogue(connection))
    answers.attempt("a failed transaction", lambda: in_transaction(connection))
    connection.close()


main()
