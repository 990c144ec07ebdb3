//! PostgreSQL's functions, operators and types that DataFusion lacks or means otherwise.

mod acl;
mod aggregates;
mod array_bounds;
mod bits;
mod buckets;
mod bytes;
mod calendar;
mod casts;
pub mod characters;
mod checked_floats;
mod coalesce;
mod datetime;
mod decimals;
mod elements_like;
mod encoding;
mod exact;
mod expanded;
mod field_of;
mod format;
mod format_type;
mod identifiers;
pub mod input;
pub mod integers;
mod interval_fields;
pub mod intervals;
pub mod json;
pub mod kept;
mod like;
mod logarithms;
mod names;
mod numeric;
mod objects;
mod operator_names;
pub mod output;
mod overloads;
mod patterns;
mod precision;
mod privileges;
mod quote;
mod reg;
mod regular;
mod scalar;
mod series;
mod session;
mod signal;
mod similar;
pub mod spans;
mod ties;
mod type_of;
mod waiting;
mod whole;
mod whole_numbers;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::DataType;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, Volatility};

use crate::auth::Actor;
use crate::catalog::system::Builtin;
use crate::catalog::{Inventory, SessionsSeen, Snapshot};
use crate::error::{Error, Result};
pub use acl::ROW_LISTS;
pub use bits::BITS_AS_BIGINT;
pub use elements_like::{ELEMENTS_LIKE, array_like};
pub use exact::exact_value;
pub use expanded::EXPANDED_LIST;
pub use field_of::FIELD_OF;
pub use interval_fields::INTERVAL_OF_FIELDS;
pub use kept::{WHOLE_ROW, makes_ranges, range_taken_by, row};
pub use like::LIKE_ESCAPE;
use names::Names;
pub use numeric::of_float;
pub use objects::ANCESTORS_LIST;
use output::Style;
pub use regular::{MATCHES_LIST, PARTS_LIST};
pub use series::{SERIES_LIST, SUBSCRIPTS_LIST};
pub use session::XMIN;
pub use signal::{Allows, SendSignal, Signal, Signals};
pub use similar::SIMILAR_TO_ESCAPE;
pub use ties::WITH_TIES;

/// What functions may know of the session that calls them (`current_user`, `current_setting` ...).
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// The database as the session named it.
    pub database: String,
    /// As whom the statement runs.
    pub actor: Actor,
    /// Schemas searched for unqualified names, `pg_catalog` not among them.
    pub search_path: Vec<String>,
    /// Every setting by lower-case name, as SHOW prints it.
    pub settings: Arc<BTreeMap<String, String>>,
    /// How the session writes and reads values.
    pub style: Style,
    /// The number that `pg_backend_pid()` gives.
    pub backend_pid: i32,
    /// What `set_config()` does.
    pub set_config: SetConfig,
    /// What `pg_terminate_backend()` does.
    pub signals: Signals,
    /// What it sees of sessions.
    pub sessions: SessionsSeen,
    /// That of [`Self::digest`], once somebody asks.
    pub told: OnceLock<[u8; 32]>,
}

impl SessionFacts {
    /// A digest of whom the statement runs as, in which database, and of all settings: names mean the same to all sessions
    /// in which it is the same.
    pub fn digest(&self) -> &[u8; 32] {
        self.told.get_or_init(|| {
            let all = (
                &self.database,
                &self.actor,
                &self.search_path,
                &self.settings,
            );
            // Written so, texts are quoted: no two different ones are the same bytes.
            *blake3::hash(format!("{all:?}").as_bytes()).as_bytes()
        })
    }
}

/// Sets a setting of the session: its name, its value (`None` for the default), and whether only
/// until the transaction ends. Gives the value as SHOW prints it.
pub type SetSetting = dyn Fn(&str, Option<&str>, bool) -> Result<String> + Send + Sync;

/// How `set_config()` reaches the session that calls it.
#[derive(Clone)]
pub struct SetConfig(pub Arc<SetSetting>);

impl SetConfig {
    /// Where there is no session.
    pub fn refused() -> Self {
        Self(Arc::new(|_, _, _| {
            Err(Error::unsupported("set_config() outside of a session"))
        }))
    }
}

impl fmt::Debug for SetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetConfig")
    }
}

/// Functions whose answers depend on the session or the catalog, made for one statement. The
/// columns of relations are known to them where the statement reads a relation that needs them.
/// Looked up by lower-case name, without schema.
pub fn of_session(
    facts: &Arc<SessionFacts>,
    snapshot: &Arc<Snapshot>,
    builtin: &Arc<Builtin>,
    inventory: Option<&Arc<Inventory>>,
) -> Vec<Arc<ScalarUDF>> {
    let names = Arc::new(Names::new(facts, snapshot, builtin, inventory));
    let mut functions = session::functions(&names);
    functions.extend(of_catalog(&names));
    functions.extend(of_style(facts.style));
    functions
}

/// Those of [`of_session`] whose answers depend on nothing but their arguments, what exists and is known of it, whose rights
/// count, the database and the search path.
fn of_catalog(names: &Arc<Names>) -> Vec<Arc<ScalarUDF>> {
    let mut functions = acl::functions(names);
    functions.extend(objects::functions(names));
    functions.extend(privileges::functions(names));
    functions.extend(reg::functions(names));
    functions
}

/// The names of the functions whose answers depend on nothing but their arguments, what exists and is known of it, whose
/// rights count, the database and the search path.
pub fn names_of_catalog(
    facts: &Arc<SessionFacts>,
    snapshot: &Arc<Snapshot>,
    builtin: &Arc<Builtin>,
) -> BTreeSet<String> {
    let names = Arc::new(Names::new(facts, snapshot, builtin, None));
    let functions = of_catalog(&names).into_iter();
    functions
        .map(|function| function.name().to_owned())
        .collect()
}

/// Those of [`of_session`] whose answers depend on nothing but their arguments and the session's style.
fn of_style(style: Style) -> Vec<Arc<ScalarUDF>> {
    let mut functions = vec![intervals::age(style.zone)];
    functions.extend(datetime::functions(style));
    functions.extend(patterns::functions(style));
    functions.push(format::function(style));
    functions.push(interval_fields::function(style));
    functions
}

/// The names of the functions whose answers depend on nothing but their arguments and the session's
/// style.
pub fn names_of_style() -> BTreeSet<String> {
    let functions = of_style(Style::default()).into_iter();
    functions
        .map(|function| function.name().to_owned())
        .collect()
}

/// The names of the functions whose answers depend on nothing but their arguments, whatever else they are told to be.
pub fn names_of_arguments() -> BTreeSet<String> {
    let of_intervals = [intervals::multiplied(), intervals::divided()];
    let functions = constant().into_iter().chain(of_intervals);
    functions
        .filter(|function| function.signature().volatility != Volatility::Volatile)
        .map(|function| function.name().to_owned())
        .collect()
}

/// Whether a function of [`of_session`] looks up columns or sizes of relations, by lower-case name.
pub fn of_inventory(name: &str) -> bool {
    matches!(
        name,
        "col_description"
            | "has_column_privilege"
            | "pg_database_size"
            | "pg_relation_size"
            | "pg_table_size"
            | "pg_total_relation_size"
    )
}

/// The function of [`of_session`] that spells the values of a type as text; `None` for types whose
/// values are no objects.
pub fn spelling(type_oid: u32) -> Option<&'static str> {
    reg::output_of(type_oid)
}

/// Aggregates that take the place of DataFusion's, registered once.
pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    aggregates::functions()
}

/// A function that gives an average of a type, as `avg` gives it, of a sum and of how many were added; `None` where that is
/// not the same in every order.
pub fn average_of(average: &DataType) -> Option<ScalarUDF> {
    aggregates::average_of(average)
}

/// A function that gives a variance or its root as the aggregate of this name gives it of exact numbers: of their sum, the sum of
/// their squares, and of how many they are. `None` if there is no such aggregate.
pub fn spread_of(name: &str) -> Option<ScalarUDF> {
    aggregates::spread_of(name)
}

/// Functions that depend on their arguments alone, registered once. Some take the place of
/// DataFusion's own.
pub fn constant() -> Vec<Arc<ScalarUDF>> {
    let mut functions = quote::functions();
    functions.extend(bytes::functions());
    functions.extend(casts::functions());
    functions.extend(characters::functions());
    functions.extend(json::functions());
    functions.extend(encoding::functions());
    functions.extend(waiting::functions());
    functions.push(coalesce::function());
    functions.push(elements_like::function());
    functions.push(expanded::function());
    functions.push(field_of::function());
    functions.push(type_of::function());
    functions.push(numeric::function());
    functions.extend(decimals::functions());
    functions.push(precision::function());
    functions.extend(array_bounds::functions());
    functions.extend(series::functions());
    functions.push(identifiers::function());
    functions.push(like::function());
    functions.extend(kept::functions());
    functions.push(similar::function());
    functions.push(bits::function());
    functions.push(ties::function());
    functions.extend(regular::functions());
    functions.push(buckets::function());
    functions.extend(exact::functions());
    functions.extend(whole::functions());
    functions.extend(whole_numbers::functions());
    functions.extend(checked_floats::functions());
    let sign = datafusion::functions::math::signum();
    functions.push(Arc::new(sign.as_ref().clone().with_aliases(["sign"])));
    functions
}
