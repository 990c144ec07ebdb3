//! PostgreSQL's output functions: what a value is as text, for rows and for casts alike.
//! <https://www.postgresql.org/docs/16/datatype.html>

mod array;
mod cast;
mod datetime;
mod interval;
mod number;
mod numeric;
mod record;
mod style;
mod text;
mod values;
mod zone;

pub use array::range;
pub use cast::{output, texts, writes};
pub use datetime::{MICROS_PER_DAY, date_binary, timestamp_binary};
pub(super) use datetime::{date, time, timestamp, timestamptz, utc_offset};
pub use interval::Interval;
pub use number::{float4, float8, integer};
pub use numeric::{split_sign, text as numeric};
pub use style::{BytesNotation, DateNotation, FieldOrder, IntervalNotation, Notation, Style};
pub use text::{interval_of, text_value};
pub use values::{List, Record, Values};
pub use zone::{Offsets, Zone, iana_name};
