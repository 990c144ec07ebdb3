//! Random queries over the same rows in three servers, beside PostgreSQL's own answers.

use std::process::Command;

use super::Place;
use crate::clients::run;
use crate::gateway::{given, given_if_set};

#[test]
fn random_queries_have_postgres_answers_wherever_they_are_judged() {
    let place = Place::new(&[]);
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .arg("tests/peers/federated.py")
        .arg(place.lake.path());
    command.args(["--gateway", &place.gateway.address().to_string()]);
    command.args(["--postgres", &given("LAKEGATE_TEST_POSTGRES")]);
    command.args(["--mariadb", &given("LAKEGATE_TEST_MARIADB")]);
    let queries = given_if_set("LAKEGATE_TEST_QUERIES").unwrap_or_else(|| "500".to_owned());
    command.args(["--queries", &queries]);
    let said = run(&mut command).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{said}");
}
