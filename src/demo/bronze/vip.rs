//! The guest list: one JSON document with an array of objects.

use std::io::Write;

use super::super::files::{Lake, Made, Object, array, quoted};
use super::super::world::{Day, World};
use crate::error::Result;

const N_VIPS: i64 = 120;
const RIGHTS: [&str; 5] = ["lounge", "beta", "early-sale", "concierge", "free-shipping"];

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let updated_at = Day::LAST.at(8, 30);
    let vips = array((0..N_VIPS).map(|place| vip(world, place)));
    let document = Object::new()
        .raw("vips", vips)
        .text("updated_at", &updated_at.to_string())
        .end();
    lake.save("bronze/vip.json", updated_at, 1, |file| {
        writeln!(file, "{document}")
    })
}

fn vip(world: &World, place: i64) -> String {
    let mut random = world.random("vip", place);
    let level = if random.percent(70) {
        "gold"
    } else {
        "platinum"
    };
    let n_rights = random.between(1, 4) as usize;
    let first = random.below(RIGHTS.len() as i64) as usize;
    let access = (0..n_rights).map(|right| quoted(RIGHTS[(first + right) % RIGHTS.len()]));
    let since = Day::FIRST.plus(random.below(180) as i32);
    Object::new()
        .raw("user_id", 1 + place * world.n_users / N_VIPS)
        .text("level", level)
        .raw("access", array(access))
        .text("since", &since.to_string())
        .end()
}
