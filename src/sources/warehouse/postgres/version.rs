//! What tells the rows of PostgreSQL's tables apart from all that they had or will have: which
//! transactions a snapshot sees, of which run of which server. docs/warehouse.md has the reasons.

use tokio_postgres::{Client, Row};

use crate::sources::warehouse::ForeignTable;

/// Whether the server tells all that a token needs, to this user. Functions are looked for before
/// they are called: a failure would end the transaction.
const IS_TOLD: &str = "\
    SELECT pg_catalog.count(*) = 3 AND pg_catalog.bool_and(\
        pg_catalog.has_function_privilege(p.oid, 'execute')) \
    FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace \
        AND p.proname IN ('pg_control_system', 'pg_control_checkpoint', 'pg_current_snapshot')";

/// The token; none of a replica, whose snapshots are not told by `pg_current_snapshot()`, or where an
/// extension keeps rows elsewhere. A crash, after which a transaction's number may be given again, has
/// a checkpoint of its own, and a restored server another start.
const TOKEN: &str = "\
    SELECT pg_catalog.concat_ws(' ', s.system_identifier, c.timeline_id, c.checkpoint_lsn, \
        pg_catalog.pg_postmaster_start_time(), d.oid, CURRENT_USER, pg_catalog.pg_current_snapshot()) \
    FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c, \
        pg_catalog.pg_database d \
    WHERE d.datname = pg_catalog.current_database() AND NOT pg_catalog.pg_is_in_recovery() \
        AND pg_catalog.version() LIKE 'PostgreSQL %' AND pg_catalog.version() NOT LIKE '%-YB-%' \
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname IN ('citus', 'spock', 'orioledb'))";

/// The table, if its rows and those of all its parts are changed by transactions of the server alone:
/// they are on its heap, no policy judges them, and they are not of its catalog, which is also
/// changed in place.
const TABLE: &str = "\
    WITH RECURSIVE part AS (\
        SELECT c.oid, c.oid AS whole, c.relkind, c.relam, c.relrowsecurity, c.relpersistence \
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname = $1 AND c.relname = $2 \
        UNION ALL \
        SELECT c.oid, p.whole, c.relkind, c.relam, c.relrowsecurity, c.relpersistence \
        FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid \
            JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid\
    ) \
    SELECT pg_catalog.min(whole::pg_catalog.int8) FROM part \
    HAVING pg_catalog.bool_and(relkind IN ('r', 'p', 'm') AND relam IN (0, 2) \
        AND NOT relrowsecurity AND relpersistence <> 't' AND oid >= 16384)";

/// Whether tokens can be had of the server.
pub(super) async fn is_told(client: &Client) -> Result<bool, tokio_postgres::Error> {
    let rows = client.query_typed(IS_TOLD, &[]).await?;
    let is_told = rows.first().map(|row| row.try_get::<_, Option<bool>>(0));
    Ok(is_told.transpose()?.flatten().unwrap_or(false))
}

/// What tells the snapshot that a session sees from all others; `None` where nothing does.
pub(super) async fn token(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    let rows = client.query_typed(TOKEN, &[]).await?;
    rows.first().map(|row| row.try_get(0)).transpose()
}

/// The number of a table whose rows the token tells; `None` if it does not tell them.
pub(super) async fn told_table(
    client: &Client,
    table: &ForeignTable,
) -> Result<Option<i64>, tokio_postgres::Error> {
    let (schema, name) = (&table.remote.schema, &table.remote.table);
    let parameters = [
        super::introspect::text(schema),
        super::introspect::text(name),
    ];
    let rows = client.query_typed(TABLE, &parameters).await?;
    let number = |row: &Row| row.try_get(0);
    Ok(rows.first().map(number).transpose()?.flatten())
}
