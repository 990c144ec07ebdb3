"""Apache Superset: its application with a metadata database of its own, a PostgreSQL database added to it, and what its pages ask
of that: lists and descriptions, SQL Lab, datasets, and charts by every time grain."""

import contextlib
import datetime as dt
import io
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import answers

CONFIGURATION = """
import os
SECRET_KEY = "of a test alone"
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.environ["SUPERSET_HOME"] + "/superset.db"
LOG_LEVEL = 50
"""

RELATIONS = (("shop", "buyers"), ("shop", "purchases"), ("shop", "purchase_totals"), ("shop", "mv"), ("public", "Orders"), ("public", "users"),
             ("public", "global-flat--offer-history"))
# As they are typed into SQL Lab, each with its schema.
TYPED = (
    ("shop", "select * from buyers order by id"),
    ("shop", "select id, tags, upd, birth, balance from buyers where name ilike '%9' order by 1 limit 7"),
    (None, 'select count(*) from public."Orders"'),
    ("shop", "select status, count(*) as n, sum(amount) as total from purchases group by 1 order by 1; select 2 as two"),
    ("shop", "with last as (select buyer_id, max(bought_on) as day from purchases group by 1) select * from last order by day desc, 1 limit 3"),
    (None, "explain select 1"),
    (None, "show server_version_num"),
    ("shop", "select nope from buyers"),
    ("shop", "select * from no_such_table"),
    ("shop", "selec 1"),
    ("shop", "select 1/0"),
    ("shop", "select count(*) as n, count(*) as n from buyers"),
    ("shop", """select '1 day'::interval as i, '{"a": 1}'::jsonb as j, array[1,2] as a, null as nothing, 1.50 as d"""),
)
FAILED_LOGINS = ({"database": "nowhere"}, {"port": 1})


def attempt(name: str, run: Callable[[], Any]) -> None:
    def guarded() -> Any:
        try:
            return run()
        except Exception as error:
            raise answers.Failed(f"{type(error).__name__} {getattr(getattr(error, 'orig', None), 'pgcode', '')}") from error
    answers.attempt(name, guarded)


def url(**changed: Any) -> str:
    server = answers.server() | changed
    return f"postgresql+psycopg2://{server['user']}@{server['host']}:{server['port']}/{changed.get('database', server['dbname'])}"


def of_pages(database: Any) -> None:
    """What the pages of databases and of SQL Lab's tree on the left ask."""
    from superset.sql.parse import Table
    specification = database.db_engine_spec
    catalog = database.get_default_catalog()
    attempt("get_default_catalog", lambda: catalog)
    attempt("get_all_catalog_names", lambda: catalog in database.get_all_catalog_names())
    attempt("get_all_schema_names", lambda: sorted(database.get_all_schema_names(catalog=catalog) - {"lakegate"}))
    attempt("get_default_schema", lambda: database.get_default_schema(catalog))
    for schema in ("shop", "public", "no_such_schema"):
        for kind in ("table", "view", "materialized_view"):
            of_kind = getattr(database, f"get_all_{kind}_names_in_schema")
            attempt(f"{kind}s of {schema}", lambda: sorted(of_kind(catalog, schema)))
    for schema, name in (*RELATIONS, ("shop", "no_such_table")):
        table = Table(name, schema, catalog)
        for method in ("has_table", "has_view", "get_table_comment", "get_metrics", "get_indexes", "get_pk_constraint", "get_foreign_keys"):
            attempt(f"{method} {schema}.{name}", lambda: getattr(database, method)(table))
        attempt(f"get_columns {schema}.{name}", lambda: [
            {key: str(value) for key, value in sorted(column.items())} for column in database.get_columns(table)])
        attempt(f"select_star {schema}.{name}", lambda: database.select_star(table, limit=5, show_cols=True))
        attempt(f"extra_table_metadata {schema}.{name}", lambda: specification.get_extra_table_metadata(database, table))
    attempt("function_names", lambda: sorted(database.function_names))
    attempt("allows_cost_estimate", lambda: specification.get_allow_cost_estimate({"version": "16"}))
    attempt("estimate_query_cost", lambda: [sorted(cost) for cost in specification.estimate_query_cost(
        database, catalog, "shop", "select count(*) from shop.buyers")])


def typed(application: Any, database: Any, schema: str | None, text: str) -> Any:
    """A text run in SQL Lab: its state, columns and rows, or what is said of its error."""
    from superset import db
    from superset.models.sql_lab import Query
    from superset.sql_lab import get_sql_results
    query = Query(database=database, sql=text, schema=schema, catalog=database.get_default_catalog(), client_id=os.urandom(5).hex(),
                  limit=1000, rows=0, status="pending", tab_name="a tab", sql_editor_id="1", user_id=None)
    db.session.add(query)
    db.session.commit()
    came = get_sql_results(query.id, text, return_results=True, store_results=False)
    if came.get("error"):
        return [came["status"], [(error["error_type"], error["message"].splitlines()[0]) for error in came["errors"]]]
    columns = [(column["column_name"], column["type"], column["is_dttm"], column["type_generic"]) for column in came["columns"]]
    return [came["status"], columns, [str(row) for row in came["data"]]]


def dataset(database: Any, schema: str, name: str) -> Any:
    """A dataset of a relation, with the columns that Superset finds for it."""
    from superset import db
    from superset.connectors.sqla.models import SqlaTable
    made = SqlaTable(table_name=name, schema=schema, catalog=database.get_default_catalog(), database=database)
    db.session.add(made)
    db.session.flush()
    made.fetch_metadata()
    db.session.commit()
    return made


def charted(of: Any, **asked: Any) -> Any:
    """A chart's query: the statement that Superset makes, and its rows."""
    defaults = {"granularity": None, "from_dttm": None, "to_dttm": None, "groupby": [], "metrics": [], "filter": [], "is_timeseries": False,
                "row_limit": 500, "extras": {}, "columns": [], "orderby": []}
    came = of.query(defaults | asked)
    if came.error_message:
        return ["error", came.error_message.splitlines()[0]]
    return [came.query, [str(row) for row in sorted(came.df.to_dict("records"), key=str)]]


def charts(database: Any) -> None:
    purchases = dataset(database, "shop", "purchases")
    attempt("columns of a dataset", lambda: [(of.column_name, of.type, of.is_dttm) for of in purchases.columns])
    total = {"expressionType": "SIMPLE", "aggregate": "SUM", "column": {"column_name": "amount"}, "label": "total"}
    buyers = {"expressionType": "SIMPLE", "aggregate": "COUNT_DISTINCT", "column": {"column_name": "buyer_id"}, "label": "buyers"}
    of_sql = {"expressionType": "SQL", "sqlExpression": "avg(qty)::numeric(10,3)", "label": "mean"}
    span = {"from_dttm": dt.datetime(2024, 1, 2), "to_dttm": dt.datetime(2024, 6, 30)}
    for grain in database.grains():
        for column in ("created_at", "bought_on"):
            attempt(f"{grain.duration} of {column}", lambda: charted(
                purchases, granularity=column, is_timeseries=True, metrics=[total], extras={"time_grain_sqla": grain.duration}, **span))
    attempt("by status", lambda: charted(purchases, columns=["status"], metrics=[total, buyers, of_sql], orderby=[(total, False)]))
    filters = [{"col": "status", "op": "IN", "val": ["paid", "new"]}, {"col": "amount", "op": ">=", "val": 100},
               {"col": "note", "op": "IS NOT NULL"}, {"col": "status", "op": "ILIKE", "val": "%A%"}]
    attempt("filtered", lambda: charted(purchases, columns=["status"], metrics=["count"], filter=filters))
    attempt("rows", lambda: charted(purchases, columns=["id", "bought_on", "amount"], orderby=[("id", True)], row_limit=20))
    attempt("top", lambda: charted(purchases, granularity="created_at", is_timeseries=True, metrics=[total], columns=["status"], groupby=["status"],
                                   series_columns=["status"], series_limit=2, series_limit_metric=total,
                                   extras={"time_grain_sqla": "P1M"}, **span))
    attempt("having", lambda: charted(purchases, columns=["buyer_id"], metrics=[total], extras={"having": "sum(amount) > 500", "where": "qty < 9"}))
    attempt("values_for_column", lambda: sorted(map(str, purchases.values_for_column("status"))))
    orders = dataset(database, "public", "Orders")
    attempt("mixed case", lambda: charted(orders, columns=["Company"], metrics=["count"]))


def main() -> None:
    sys.stdin.read()
    with tempfile.TemporaryDirectory(prefix="lakegate-superset-") as home:
        Path(home, "superset_config.py").write_text(CONFIGURATION)
        os.environ |= {"SUPERSET_HOME": home, "SUPERSET_CONFIG_PATH": f"{home}/superset_config.py"}
        # It says where its configuration lies, and much of what its libraries will change.
        logging.disable(logging.CRITICAL)
        with contextlib.redirect_stdout(io.StringIO()):
            from superset import db
            from superset.app import create_app
            application = create_app()
        with application.app_context(), application.test_request_context():
            from flask_appbuilder import Model
            from superset.models.core import Database
            Model.metadata.create_all(db.engine)
            database = Database(database_name="lake", sqlalchemy_uri=url(), expose_in_sqllab=True)
            db.session.add(database)
            db.session.commit()
            of_pages(database)
            for schema, text in TYPED:
                attempt(f"SQL Lab in {schema}: {text}", lambda: typed(application, database, schema, text))
            charts(database)
            for wrong in FAILED_LOGINS:
                attempt(f"a wrong {wrong}", lambda: failed_login(wrong))


def failed_login(wrong: dict[str, Any]) -> list:
    """What Superset makes of the error of a connection."""
    from superset.models.core import Database
    database = Database(database_name="wrong", sqlalchemy_uri=url(**wrong))
    try:
        with database.get_raw_connection():
            return ["connected"]
    except Exception as error:
        return [(found.error_type.name, found.message) for found in database.db_engine_spec.extract_errors(error)]


main()
