//! Every setting there is. To add one: a line here.

use super::domain::Domain;

/// A session setting.
#[derive(Debug)]
pub(in crate::wire) struct Setting {
    /// As PostgreSQL spells it; compared without case.
    pub(in crate::wire) name: &'static str,
    /// The value a session starts with.
    pub(in crate::wire) default: &'static str,
    /// The values it takes.
    pub(in crate::wire) domain: Domain,
    /// What it is for.
    pub(in crate::wire) description: &'static str,
    /// Whether the client is told of its value (ParameterStatus).
    pub(in crate::wire) reported: bool,
}

const fn setting(
    name: &'static str,
    default: &'static str,
    domain: Domain,
    description: &'static str,
) -> Setting {
    Setting {
        name,
        default,
        domain,
        description,
        reported: false,
    }
}

const fn reported(
    name: &'static str,
    default: &'static str,
    domain: Domain,
    description: &'static str,
) -> Setting {
    Setting {
        name,
        default,
        domain,
        description,
        reported: true,
    }
}

use Domain::{
    ApplicationName, Bool, Bytes, ClientEncoding, DateStyle, Duration, DurationOrNothing, Fixed,
    Float, Integer, Kilobytes, KilobytesOrAny, Moment, OneOf, Only, SearchPath, Text, TimeZone,
};

const INT_MAX: i64 = i32::MAX as i64;
const LEVELS: &[&str] = &[
    "serializable",
    "repeatable read",
    "read committed",
    "read uncommitted",
];
const MESSAGE_LEVELS: &[&str] = &[
    "debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "warning", "error",
];

/// All settings, by name. Settings that steer a planner or a writer that is not here are taken and
/// kept: they change no answer. Of those that would change one, only the values that are honoured
/// are taken.
#[rustfmt::skip] // One line for each.
pub(in crate::wire) const SETTINGS: &[Setting] = &[
    reported("application_name", "", ApplicationName, "The name of the client's program."),
    setting("array_nulls", "on", Only(&["on"], &["off"]), "Reads NULL in array literals as a null."),
    setting("backslash_quote", "safe_encoding", OneOf(&["safe_encoding", "on", "off"]), "Whether \\' is allowed in literals."),
    setting("bytea_output", "hex", OneOf(&["escape", "hex"]), "The output format of bytea."),
    setting("check_function_bodies", "on", Bool, "Checks function bodies when they are created."),
    reported("client_encoding", "UTF8", ClientEncoding, "The client's character set encoding."),
    setting("client_min_messages", "notice", OneOf(MESSAGE_LEVELS), "The least important messages sent to the client."),
    setting("cursor_tuple_fraction", "0.1", Float, "The fraction of a cursor's rows expected to be fetched."),
    reported("DateStyle", "ISO, MDY", DateStyle, "The output format of dates, and how ambiguous ones are read."),
    setting("default_statistics_target", "100", Integer(1, 10_000), "The default statistics target."),
    setting("default_transaction_deferrable", "off", Bool, "The deferrable status of new transactions."),
    setting("default_transaction_isolation", "read committed", OneOf(LEVELS), "The isolation level of new transactions."),
    reported("default_transaction_read_only", "off", Bool, "The read-only status of new transactions."),
    setting("effective_cache_size", "4GB", Kilobytes, "The planner's assumption of the size of caches."),
    setting("enable_async_append", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_bitmapscan", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_gathermerge", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_hashagg", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_hashjoin", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_incremental_sort", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_indexonlyscan", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_indexscan", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_material", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_memoize", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_mergejoin", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_nestloop", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_parallel_append", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_parallel_hash", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_partition_pruning", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_partitionwise_aggregate", "off", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_partitionwise_join", "off", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_seqscan", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_sort", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("enable_tidscan", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("escape_string_warning", "on", Bool, "Warns of backslashes in ordinary literals."),
    setting("extra_float_digits", "1", Integer(-15, 3), "The number of digits shown of floating-point values."),
    setting("from_collapse_limit", "8", Integer(1, INT_MAX), "Steers PostgreSQL's planner; kept and not used."),
    setting("geqo", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("gin_fuzzy_search_limit", "0", Integer(0, INT_MAX), "Limits the rows of a search by GIN; there is none."),
    setting("idle_in_transaction_session_timeout", "0", Duration, "Ends a session idle in a transaction for this long."),
    setting("idle_session_timeout", "0", Duration, "Ends a session idle outside a transaction for this long."),
    reported("in_hot_standby", "off", Fixed, "Whether the server is a hot standby."),
    reported("integer_datetimes", "on", Fixed, "Whether times are integers."),
    reported("IntervalStyle", "postgres", OneOf(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]), "The output format of intervals."),
    reported("is_superuser", "on", Fixed, "Whether the current user is a superuser."),
    setting("jit", "off", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("join_collapse_limit", "8", Integer(1, INT_MAX), "Steers PostgreSQL's planner; kept and not used."),
    setting("lakegate.as_of", "", Moment, "The instant or the snapshot at which tables are read; empty for now."),
    setting("lakegate.as_of_mode", "strict", OneOf(&["strict", "mixed"]), "What becomes of relations without history at an instant: an error, or as they are."),
    setting("lakegate.max_scan_bytes", "0", Bytes, "The most bytes of files that a statement may read."),
    setting("lakegate.max_staleness", "", DurationOrNothing, "How old stored rows of materialized views may be; empty for what each view says, 0 for not at all."),
    setting("lakegate.remote_pushdown", "on", Bool, "Has the servers of foreign tables judge the conditions that they judge alike."),
    setting("lakegate.result_cache", "on", Bool, "Gives answers that were kept of the same statement over the same versions."),
    setting("lakegate.rewrite", "on", Bool, "Answers queries over tables from materialized views that have the same."),
    setting("lakegate.rewrite_floats", "off", Bool, "Does so also where floating-point numbers are added in another order."),
    setting("lakegate.statement_memory", "0", Kilobytes, "The most memory that a statement may hold in sorts, joins and aggregates."),
    setting("lc_collate", "C", Fixed, "The collation's locale."),
    setting("lc_ctype", "C", Fixed, "The locale of character classes."),
    setting("lc_messages", "C", Only(&["C", "POSIX", "en_US.UTF-8", "en_US.utf8", ""], &[]), "The language of messages."),
    setting("lc_monetary", "C", Only(&["C", "POSIX"], &[]), "The locale of amounts of money."),
    setting("lc_numeric", "C", Only(&["C", "POSIX"], &[]), "The locale of numbers."),
    setting("lc_time", "C", Only(&["C", "POSIX"], &[]), "The locale of dates and times."),
    setting("lock_timeout", "0", Duration, "The longest wait for a lock; nothing is locked."),
    setting("maintenance_work_mem", "64MB", Kilobytes, "Memory of maintenance operations; kept and not used."),
    setting("max_connections", "100", Fixed, "The most connections served at a time."),
    setting("max_identifier_length", "63", Fixed, "Bytes of the longest identifier."),
    setting("max_index_keys", "32", Fixed, "Columns of the largest index."),
    setting("max_parallel_workers_per_gather", "2", Integer(0, 1024), "Steers PostgreSQL's planner; kept and not used."),
    setting("max_prepared_transactions", "0", Fixed, "Transactions that can be prepared at a time."),
    setting("parallel_setup_cost", "1000", Float, "Steers PostgreSQL's planner; kept and not used."),
    setting("parallel_tuple_cost", "0.1", Float, "Steers PostgreSQL's planner; kept and not used."),
    setting("password_encryption", "scram-sha-256", Only(&["scram-sha-256"], &["md5"]), "How passwords are kept."),
    setting("plan_cache_mode", "auto", OneOf(&["auto", "force_generic_plan", "force_custom_plan"]), "Steers PostgreSQL's planner; kept and not used."),
    setting("quote_all_identifiers", "off", Only(&["off"], &["on"]), "Quotes every identifier in SQL that the server writes."),
    setting("random_page_cost", "4", Float, "Steers PostgreSQL's planner; kept and not used."),
    setting("role", "none", Text, "The role whose rights count."),
    setting("row_security", "on", Bool, "Applies row policies; off is an error where one would hold rows back."),
    setting("search_path", "\"$user\", public", SearchPath, "The schemas searched for names without one."),
    setting("seq_page_cost", "1", Float, "Steers PostgreSQL's planner; kept and not used."),
    reported("server_encoding", "UTF8", Fixed, "The database's character set encoding."),
    reported("server_version", "16.6", Fixed, "The version of PostgreSQL that is spoken."),
    setting("server_version_num", "160006", Fixed, "The version of PostgreSQL that is spoken, as a number."),
    reported("session_authorization", "", Text, "The session's user."),
    setting("session_replication_role", "origin", Only(&["origin"], &["replica", "local"]), "How triggers and rules fire."),
    setting("shared_buffers", "128MB", Fixed, "Memory of PostgreSQL's shared buffers."),
    setting("ssl", "off", Fixed, "Whether TLS is offered."),
    reported("standard_conforming_strings", "on", Only(&["on"], &["off"]), "Takes backslashes in literals as they are."),
    setting("statement_timeout", "0", Duration, "Cancels a statement that takes longer."),
    setting("synchronize_seqscans", "on", Bool, "Steers PostgreSQL's planner; kept and not used."),
    setting("synchronous_commit", "on", OneOf(&["local", "remote_write", "remote_apply", "on", "off"]), "How long a commit waits; nothing is written."),
    setting("tcp_keepalives_count", "3", Domain::Probes { n_max: 127, default: "3" }, "Questions to a silent client without an answer after which it is gone."),
    setting("tcp_keepalives_idle", "30", Domain::Time { unit: "s", max: 32_767, default: "30" }, "Seconds of silence after which the client is asked whether it is there."),
    setting("tcp_keepalives_interval", "10", Domain::Time { unit: "s", max: 32_767, default: "10" }, "Seconds between questions to a silent client."),
    setting("tcp_user_timeout", "60000", Domain::Time { unit: "ms", max: INT_MAX, default: "60000" }, "Milliseconds after which a client that acknowledges nothing is gone."),
    setting("temp_buffers", "8MB", Kilobytes, "Memory of temporary tables; there are none."),
    setting("temp_file_limit", "-1", KilobytesOrAny, "The most that a statement may write into temporary files at a time."),
    reported("TimeZone", "UTC", TimeZone, "The time zone in which times are shown and read."),
    setting("timezone_abbreviations", "Default", Only(&["Default"], &[]), "Which abbreviations of time zones are known."),
    setting("trace_notify", "off", Bool, "Kept and not used."),
    setting("transaction_deferrable", "off", Bool, "Whether the transaction may wait to begin."),
    setting("transaction_isolation", "read committed", OneOf(LEVELS), "The transaction's isolation level."),
    setting("transaction_read_only", "off", Bool, "Whether the transaction is read-only."),
    setting("transform_null_equals", "off", Only(&["off"], &["on"]), "Takes expr = NULL for expr IS NULL."),
    setting("wal_level", "replica", Fixed, "What is written to the write-ahead log."),
    setting("work_mem", "4MB", Kilobytes, "Memory of sorts and hashes; kept and not used."),
    setting("xmlbinary", "base64", Only(&["base64"], &["hex"]), "How bytes are written in XML."),
    setting("xmloption", "content", Text, "Whether XML values are documents or contents."),
];

/// The setting of this name, whatever its case.
pub(in crate::wire) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|setting| setting.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::super::domain::Before;
    use super::*;

    #[test]
    fn names_stand_in_order_and_defaults_are_values() {
        for pair in SETTINGS.windows(2) {
            let (left, right) = (pair[0].name.to_lowercase(), pair[1].name.to_lowercase());
            assert!(left < right, "{left} stands before {right}");
        }
        for setting in SETTINGS {
            if !matches!(setting.domain, Domain::Fixed) {
                let before = Before {
                    written: setting.name,
                    now: setting.default,
                    default: setting.default,
                };
                let kept = setting.domain.accept(setting, setting.default, before);
                assert_eq!(kept.expect(setting.name), setting.default);
            }
        }
    }
}
