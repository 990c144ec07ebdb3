//! All users as JSON lines.

use super::super::files::{Lake, Made, Object};
use super::super::world::{Day, World};
use crate::error::Result;

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    // A range of usize has a known length, which one of i64 has not.
    let lines = (0..world.n_users as usize).map(|place| line(world, place as i64 + 1));
    lake.save_lines("bronze/users.jsonl", Day::LAST.at(6, 0), lines)
}

fn line(world: &World, id: i64) -> String {
    let user = world.user(id);
    Object::new()
        .raw("id", user.id)
        .text("first_name", user.first_name)
        .text("last_name", user.last_name)
        .text("email", &user.email)
        .text("country", user.country.code)
        .text("city", user.city)
        .text("tier", user.tier)
        .text("signed_up_at", &user.signed_up_at.to_string())
        .optional("birth_year", user.birth_year)
        .optional("referrer_id", user.referrer_id)
        .end()
}
