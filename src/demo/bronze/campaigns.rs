//! Campaigns as a spreadsheet exports them: a byte order mark, semicolons, quotes where needed.

use super::super::files::{Lake, Made};
use super::super::world::{CATEGORIES, COUNTRIES, Day, Random, World};
use crate::error::Result;
use std::io::Write;

const CHANNELS: [&str; 6] = ["email", "search", "social", "display", "affiliate", "print"];
const SEASONS: [&str; 6] = [
    "Frühling",
    "Sommer",
    "Früher Herbst",
    "Grüne Woche",
    "Back to School",
    "Été",
];
const NOTES: [&str; 8] = [
    "",
    "",
    "",
    "A/B test; variant B won",
    "Slogan \"Schöner Tag\" tested",
    "Pausiert über Ostern\nund danach fortgesetzt",
    "handled by Büro Köln",
    "ends early; \"sold out\"",
];

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let n_campaigns = world.n_campaigns as u64;
    lake.save(
        "bronze/campaigns.csv",
        Day::LAST.at(5, 0),
        n_campaigns,
        |file| {
            file.write_all("\u{feff}".as_bytes())?;
            writeln!(
                file,
                "campaign_id;name;channel;country;started_on;ended_on;budget;note"
            )?;
            for id in 1..=world.n_campaigns {
                writeln!(file, "{}", line(id, &mut world.random("campaigns", id)))?;
            }
            Ok(())
        },
    )
}

/// An empty field is NULL: a campaign of all countries, one that still runs, one without a note.
fn line(id: i64, random: &mut Random) -> String {
    let start = Day::FIRST.plus(random.below(170) as i32);
    let end = start.plus(random.between(5, 45) as i32);
    let (category, ..) = random.pick(&CATEGORIES);
    let separator = if random.percent(20) { "; " } else { " " };
    let name = format!("{}{separator}{category} {id}", random.pick(&SEASONS));
    let country = random.pick(&COUNTRIES).code;
    let is_everywhere = random.percent(10);
    let budget = random.between(50_000, 2_500_000) / 50 * 50;
    let fields = [
        id.to_string(),
        name,
        (*random.pick(&CHANNELS)).to_owned(),
        if is_everywhere { "" } else { country }.to_owned(),
        start.to_string(),
        if end > Day::LAST {
            String::new()
        } else {
            end.to_string()
        },
        if random.percent(5) {
            String::new()
        } else {
            format!("{}.{:02}", budget / 100, budget % 100)
        },
        (*random.pick(&NOTES)).to_owned(),
    ];
    fields.map(|field| csv_field(&field)).join(";")
}

fn csv_field(value: &str) -> String {
    if value.contains([';', '"', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
