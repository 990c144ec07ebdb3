//! What the settings say, for those who act on them.

use std::sync::Arc;
use std::time::Duration;

use super::{Settings, domain, time_zone};
use crate::auth::Limit;
use crate::engine::StatementLimits;
use crate::types::Encoding;
use crate::wire::failure::Severity;
use crate::wire::keepalive::Keepalive;

impl Settings {
    /// How long a statement may take.
    pub(in crate::wire) fn statement_timeout(&self) -> Option<Duration> {
        domain::duration_of(self.value("statement_timeout"))
    }

    /// What a statement may take.
    pub(in crate::wire) fn statement_limits(&self) -> StatementLimits {
        let of = |limit: Limit, name| limit.amount(self.value(name));
        let memory = of(Limit::Memory, "lakegate.statement_memory");
        StatementLimits {
            memory_bytes_max: memory.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            scan_bytes_max: of(Limit::Bytes, "lakegate.max_scan_bytes"),
            temporary_bytes_max: of(Limit::TemporaryFiles, "temp_file_limit"),
        }
    }

    /// How long the session may be silent.
    pub(in crate::wire) fn idle_timeout(&self, in_block: bool) -> Option<Duration> {
        domain::duration_of(self.value(match in_block {
            true => "idle_in_transaction_session_timeout",
            false => "idle_session_timeout",
        }))
    }

    /// How the client's vanishing is noticed.
    pub(in crate::wire) fn keepalive(&self) -> Keepalive {
        let default = Keepalive::DEFAULT;
        let seconds = |name| self.value(name).parse().ok().map(Duration::from_secs);
        let milliseconds = |name| self.value(name).parse().ok().map(Duration::from_millis);
        let count = self.value("tcp_keepalives_count").parse().ok();
        Keepalive {
            idle: seconds("tcp_keepalives_idle").unwrap_or(default.idle),
            interval: seconds("tcp_keepalives_interval").unwrap_or(default.interval),
            n_questions: count.unwrap_or(default.n_questions),
            unacknowledged: milliseconds("tcp_user_timeout").unwrap_or(default.unacknowledged),
        }
    }

    /// Whether the client wants notices this bad.
    pub(in crate::wire) fn wants(&self, severity: Severity) -> bool {
        match self.value("client_min_messages") {
            "warning" => severity != Severity::Notice,
            "error" => !matches!(severity, Severity::Notice | Severity::Warning),
            _ => true,
        }
    }

    /// The encoding of the client's texts.
    pub(in crate::wire) fn client_encoding(&self) -> Encoding {
        Encoding::of(self.value("client_encoding")).unwrap_or(Encoding::Utf8)
    }

    /// The time zone, as Arrow takes it.
    pub(in crate::wire) fn time_zone(&self) -> Arc<str> {
        time_zone::arrow_zone(self.value("timezone")).into()
    }

    /// The schemas searched, the user's own where `"$user"` stands.
    pub(in crate::wire) fn search_path(&self, user: &str) -> Vec<String> {
        domain::search_path(self.value("search_path"))
            .into_iter()
            .filter(|schema| !schema.is_empty())
            .map(|schema| match schema.as_str() {
                "$user" => user.to_owned(),
                _ => schema,
            })
            .collect()
    }

    /// Whether the transaction sees one moment, as REPEATABLE READ and SERIALIZABLE ones do.
    pub(in crate::wire) fn sees_one_moment(&self) -> bool {
        let level = self.value("transaction_isolation");
        matches!(level, "repeatable read" | "serializable")
    }

    /// Whether the transaction may define nothing.
    pub(in crate::wire) fn is_read_only(&self) -> bool {
        self.value("transaction_read_only") == "on"
    }
}
