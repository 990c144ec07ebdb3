//! The roles that are always there: PostgreSQL's predefined ones, and the one that owns.
//! <https://www.postgresql.org/docs/16/predefined-roles.html>

/// The role that owns what nobody else does, as the role that `initdb` makes does in PostgreSQL. A
/// superuser; it can log in only if a file defines it so.
pub const OWNER: &str = "lakegate";

/// The role whose only member is the owner of the database.
pub const DATABASE_OWNER: &str = "pg_database_owner";

/// A role that is always there.
#[derive(Clone, Copy, Debug)]
pub struct Predefined {
    /// Its name.
    pub name: &'static str,
    /// As in PostgreSQL.
    pub oid: u32,
    /// The predefined roles that it is a member of.
    pub member_of: &'static [&'static str],
}

const fn role(name: &'static str, oid: u32) -> Predefined {
    Predefined {
        name,
        oid,
        member_of: &[],
    }
}

/// Those of PostgreSQL 16, and their OIDs (pg_authid.dat). What of them means nothing here is shown
/// and can be granted: it allows nothing.
pub const PREDEFINED: [Predefined; 14] = [
    role("pg_checkpoint", 4544),
    role("pg_create_subscription", 6304),
    role(DATABASE_OWNER, 6171),
    role("pg_execute_server_program", 4571),
    Predefined {
        name: "pg_monitor",
        oid: 3373,
        member_of: &[
            "pg_read_all_settings",
            "pg_read_all_stats",
            "pg_stat_scan_tables",
        ],
    },
    role("pg_read_all_data", 6181),
    role("pg_read_all_settings", 3374),
    role("pg_read_all_stats", 3375),
    role("pg_read_server_files", 4569),
    role("pg_signal_backend", 4200),
    role("pg_stat_scan_tables", 3377),
    role("pg_use_reserved_connections", 4550),
    role("pg_write_all_data", 6182),
    role("pg_write_server_files", 4570),
];

/// The predefined role of this name.
pub fn predefined(name: &str) -> Option<&'static Predefined> {
    PREDEFINED.iter().find(|role| role.name == name)
}
