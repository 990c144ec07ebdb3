//! `pg_timezone_names`: the zones that `TimeZone` takes, as they are now.

use chrono::{Offset, TimeZone, Utc};
use chrono_tz::{OffsetComponents, OffsetName, TZ_VARIANTS};

use super::SystemView;
use super::data::Builtin;
use super::table::{Table, Value};
use crate::error::Result;

/// Every zone of the IANA database.
pub(super) fn pg_timezone_names(_: &Builtin, _: &SystemView, table: &mut Table) -> Result<()> {
    let now = Utc::now().naive_utc();
    for zone in TZ_VARIANTS {
        let offset = zone.offset_from_utc_datetime(&now);
        let seconds = format!("{} seconds", offset.fix().local_minus_utc());
        table.push(&[
            ("name", zone.name().into()),
            ("abbrev", offset.abbreviation().into()),
            ("utc_offset", Value::Written(Some(&seconds))),
            ("is_dst", (!offset.dst_offset().is_zero()).into()),
        ])?;
    }
    Ok(())
}
