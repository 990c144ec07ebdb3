//! Readings of thermostats as Azure Event Hubs Capture stores them.

use std::io::Write;

use super::super::files::{Lake, Made, Object};
use super::super::world::{Day, Moment, Random, World};
use super::avro::{AvroBytes, AvroFile};
use crate::error::Result;

/// What Capture writes, whatever the events hold.
const SCHEMA: &str = concat!(
    r#"{"type":"record","name":"EventData","namespace":"Microsoft.ServiceBus.Messaging","fields":["#,
    r#"{"name":"SequenceNumber","type":"long"},"#,
    r#"{"name":"Offset","type":"string"},"#,
    r#"{"name":"EnqueuedTimeUtc","type":"string"},"#,
    r#"{"name":"SystemProperties","type":{"type":"map","values":["long","double","string","bytes"]}},"#,
    r#"{"name":"Properties","type":{"type":"map","values":["long","double","string","bytes","null"]}},"#,
    r#"{"name":"Body","type":["null","bytes"]}]}"#
);

/// Places of the types in the unions of the schema.
const LONG_BRANCH: i64 = 0;
const STRING_BRANCH: i64 = 2;
const BYTES_BRANCH_OF_BODY: i64 = 1;

const FIRST_DAY: Day = Day::new(2026, 10, 1);
const LAST_DAY: Day = Day::new(2026, 10, 3);
const N_PARTITIONS: i64 = 4;
const MINUTES_OF_FILE: i64 = 30;
const FILES_OF_DAY: i64 = 24 * 60 / MINUTES_OF_FILE;
const SECONDS_OF_READING: i64 = 30;
const READINGS_OF_FILE: i64 = MINUTES_OF_FILE * 60 / SECONDS_OF_READING;
const READINGS_OF_BLOCK: i64 = 15;
/// What an event takes in a partition, for its offset.
const OFFSET_STEP: i64 = 176;

/// One reading of one device.
struct Reading {
    sequence_number: i64,
    enqueued_at: Moment,
    device: i64,
    body: String,
}

/// The days that were captured.
pub(super) fn days() -> impl Iterator<Item = Day> {
    FIRST_DAY.to(LAST_DAY)
}

/// Writes the files of a day: one every half hour for each partition.
pub(super) fn save(world: &World, lake: &Lake, day: Day) -> Result<Made> {
    let mut made = Made::default();
    for place in 0..FILES_OF_DAY {
        for partition in 0..N_PARTITIONS {
            let start = day.at(0, place * MINUTES_OF_FILE);
            let (n_events, bytes) = file(world, partition, start);
            let end = start.plus_seconds(MINUTES_OF_FILE * 60);
            made += lake.save(&path(partition, start), end, n_events, |file| {
                file.write_all(&bytes)
            })?;
        }
    }
    Ok(made)
}

/// `{namespace}/{hub}/{partition}/{yyyy}/{MM}/{dd}/{HH}/{mm}/{ss}.avro`
fn path(partition: i64, start: Moment) -> String {
    let (year, month, day) = start.day().date();
    let (hour, minute, second) = start.time();
    format!(
        "bronze/thermostat/iot-demo/thermostat/{partition}/{year}/{month:02}/{day:02}/{hour:02}/{minute:02}/{second:02}.avro"
    )
}

/// The number of events, and the file with them.
fn file(world: &World, partition: i64, start: Moment) -> (u64, Vec<u8>) {
    let seconds = (start.0 - FIRST_DAY.at(0, 0).0) / 1_000_000;
    let mut random = world.random("thermostat", seconds * N_PARTITIONS + partition);
    let mut sync_marker = [0; 16];
    sync_marker[..8].copy_from_slice(&random.bits().to_be_bytes());
    sync_marker[8..].copy_from_slice(&random.bits().to_be_bytes());
    let devices: Vec<i64> = (1..=world.n_devices)
        .filter(|device| device % N_PARTITIONS == partition)
        .collect();
    let n_devices = devices.len() as i64;
    let mut sequence_number = seconds / SECONDS_OF_READING * n_devices;
    let mut file = AvroFile::new(SCHEMA, sync_marker);
    for reading in 0..READINGS_OF_FILE {
        let moment = start.plus_seconds(reading * SECONDS_OF_READING);
        for device in &devices {
            let reading = measure(world, *device, moment, sequence_number, &mut random);
            file.record(|bytes| write(&reading, bytes));
            sequence_number += 1;
        }
        if (reading + 1) % READINGS_OF_BLOCK == 0 {
            file.end_block();
        }
    }
    ((READINGS_OF_FILE * n_devices) as u64, file.end())
}

fn measure(
    world: &World,
    device: i64,
    moment: Moment,
    sequence_number: i64,
    random: &mut Random,
) -> Reading {
    let mut own = world.random("thermostat devices", device);
    let measured_at = moment.plus_seconds(own.below(SECONDS_OF_READING));
    let (hour, minute, _) = measured_at.time();
    let is_open = (8..18).contains(&hour);
    // Warmest at three in the afternoon, four degrees below at night.
    let minutes_from_warmest = (hour * 60 + minute - 15 * 60).abs();
    let tenths = own.between(195, 235) - minutes_from_warmest / 18 + random.between(-4, 4);
    let occupancy = if is_open {
        random.between(0, 6)
    } else {
        random.below(2)
    };
    let body = Object::new()
        .text("device", &format!("t-{device:03}"))
        .text("ts", &measured_at.to_string())
        .raw(
            "temperature",
            format_args!("{}.{}", tenths / 10, tenths % 10),
        )
        .raw("occupancy", occupancy)
        .end();
    Reading {
        sequence_number,
        enqueued_at: measured_at.plus_millis(random.between(40, 900)),
        device,
        body,
    }
}

/// One event, field by field as in the schema.
fn write(reading: &Reading, bytes: &mut AvroBytes) {
    bytes.long(reading.sequence_number);
    bytes.text(&(reading.sequence_number * OFFSET_STEP).to_string());
    bytes.text(&enqueued_time(reading.enqueued_at));
    let is_marked = reading.sequence_number % 8 == 0;
    let system: &[_] = if is_marked {
        &[
            ("x-opt-enqueued-time", reading.enqueued_at.millis()),
            ("x-opt-sequence-number-epoch", 0),
        ]
    } else {
        &[]
    };
    bytes.map(system, |bytes, value| {
        bytes.long(LONG_BRANCH);
        bytes.long(*value);
    });
    let floor = ["ground", "first", "second"][reading.device as usize % 3];
    let own: &[_] = if reading.device % 5 == 0 {
        &[("floor", floor)]
    } else {
        &[]
    };
    bytes.map(own, |bytes, value| {
        bytes.long(STRING_BRANCH);
        bytes.text(value);
    });
    bytes.long(BYTES_BRANCH_OF_BODY);
    bytes.text(&reading.body);
}

/// `10/1/2026 12:00:05 AM`, as Capture writes it.
fn enqueued_time(moment: Moment) -> String {
    let (year, month, day) = moment.day().date();
    let (hour, minute, second) = moment.time();
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    format!("{month}/{day}/{year} {hour}:{minute:02}:{second:02} {half}")
}

#[cfg(test)]
mod tests {
    use super::{FIRST_DAY, enqueued_time};

    #[test]
    fn enqueued_times_have_twelve_hours() {
        let check = |hour, expected: &str| {
            let moment = FIRST_DAY.at(hour, 5).plus_seconds(9);
            assert_eq!(enqueued_time(moment), expected);
        };
        check(0, "10/1/2026 12:05:09 AM");
        check(11, "10/1/2026 11:05:09 AM");
        check(12, "10/1/2026 12:05:09 PM");
        check(23, "10/1/2026 11:05:09 PM");
    }
}
