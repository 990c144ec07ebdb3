"""libpq itself, by psycopg's thin wrapper of it: every byte of each value, in text and in binary; pipeline mode."""

from typing import Any

from psycopg import pq

import answers


def rows(result: pq.PGresult) -> tuple[Any, list]:
    """Columns with name, type, modifier, length and format, and the bytes of every value."""
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        code = result.error_field(pq.DiagnosticField.SQLSTATE)
        raise answers.Failed(code.decode() if code else result.error_message.decode())
    columns = [(result.fname(at), result.ftype(at), result.fmod(at), result.fsize(at), result.fformat(at))
               for at in range(result.nfields)]
    return columns, [[result.get_value(row, at) for at in range(result.nfields)] for row in range(result.ntuples)]


def executor(connection: pq.PGconn, form: int) -> answers.Execute:
    def execute(sql: str, values: tuple) -> tuple[Any, list]:
        formats = [form] * len(values)
        return rows(connection.exec_params(sql.encode(), list(values), None, formats, form))
    return execute


def pipelined(connection: pq.PGconn) -> list:
    """Twenty statements in one pipeline, the tenth of which fails: the rest of its part is skipped."""
    connection.enter_pipeline_mode()
    for n in range(20):
        text = b"select 1/0" if n == 9 else b"select $1::int4 as n"
        connection.send_query_params(text, None if n == 9 else [str(n).encode()])
        if n == 14:
            connection.pipeline_sync()
    connection.pipeline_sync()
    came, syncs = [], 0
    while syncs < 2:
        result = connection.get_result()
        if result is None:
            continue
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            syncs += 1
        code = result.error_field(pq.DiagnosticField.SQLSTATE)
        values = [result.get_value(row, 0) for row in range(result.ntuples)]
        came.append((pq.ExecStatus(result.status).name, values, code))
    connection.exit_pipeline_mode()
    return came


def described(connection: pq.PGconn, sql: str) -> Any:
    """What Describe says of a statement's parameters and columns before it is run."""
    rows(connection.prepare(b"", sql.encode()))
    result = connection.describe_prepared(b"")
    parameters = [result.param_type(at) for at in range(result.nparams)]
    return parameters, rows(result)[0]


def copied(connection: pq.PGconn, sql: str) -> list[bytes]:
    result = connection.exec_(sql.encode())
    if result.status != pq.ExecStatus.COPY_OUT:
        rows(result)
    came = []
    while True:
        length, data = connection.get_copy_data(0)
        if length == -1:
            break
        came.append(bytes(data))
    rows(connection.get_result())
    return came


def main() -> None:
    questions = answers.read_questions()
    connection = pq.PGconn.connect(b"")
    if connection.status != pq.ConnStatus.OK:
        raise SystemExit(connection.error_message.decode())
    answers.ask(questions, executor(connection, 0), "$1", "text")
    answers.ask(questions, executor(connection, 1), "$1", "binary")
    answers.attempt("pipeline of twenty", lambda: pipelined(connection))
    for kind, table, column in questions:
        if kind == "column":
            sql = f"select id from {table} where {column} = $1 and id < $2 limit $3"
            answers.attempt(f"describe {sql}", lambda: described(connection, sql))
            binary = f"copy (select id, {column} from {table} order by id) to stdout with (format binary)"
            answers.attempt(binary, lambda: copied(connection, binary))
    for options in ("", " with (format csv, header)", " (format csv, delimiter ';', null '-', force_quote *)", " (header)"):
        sql = f"copy (select * from every_type.samples order by id) to stdout{options}"
        answers.attempt(sql, lambda: copied(connection, sql))


main()
