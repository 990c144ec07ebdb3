//! Networks between the gateway and a server: slow ones, and such that say nothing any more.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::mariadb::Maria;
use super::network::Network;
use super::{Database, Place, done, refused};
use crate::gateway::given;

/// A schema `mart` of a database behind a network.
fn place(name: &str) -> (Place, Database, Network) {
    let statements = "create table t (a int); insert into t select generate_series(1, 1000);
        create view endless as select generate_series(1, 1000000000) as i";
    let database = Database::new(name, statements);
    let network = Network::to(database.address);
    let place = Place::new(&[]);
    let mut wire = place.gateway.connect();
    let port = |address: SocketAddr| format!("port '{}'", address.port());
    let server = database
        .server()
        .replace(&port(database.address), &port(network.address));
    done(&mut wire, &server);
    done(
        &mut wire,
        "alter server dwh options (add connect_timeout '4')",
    );
    done(&mut wire, "create schema mart");
    done(
        &mut wire,
        "import foreign schema public from server dwh into mart",
    );
    (place, database, network)
}

#[test]
fn a_slow_network_takes_longer_and_nothing_else() {
    let (place, _database, network) = place("slow_network");
    let mut wire = place.gateway.connect();
    // A connection is made in half a dozen messages, each of which is late.
    done(
        &mut wire,
        "alter server dwh options (set connect_timeout '20')",
    );
    network.delay(Duration::from_millis(500));
    assert_eq!(wire.value("select sum(a) from mart.t"), "500500");
    assert_eq!(
        wire.value("select count(*) from mart.t x join mart.t y on x.a + 0 = y.a"),
        "1000"
    );
}

#[test]
fn a_slow_network_to_mariadb_takes_longer_and_nothing_else() {
    let maria = Maria::new(
        "slow_network",
        "create table t (a int primary key); insert into t select seq from seq_1_to_1000",
    );
    let server: SocketAddr = given("LAKEGATE_TEST_MARIADB").parse().expect("an address");
    let network = Network::to(server);
    let place = Place::new(&[]);
    let mut wire = place.gateway.connect();
    let port = |of: SocketAddr| format!("port '{}'", of.port());
    let server = maria
        .server()
        .replace(&port(server), &port(network.address));
    done(&mut wire, &server);
    network.delay(Duration::from_millis(500));
    done(&mut wire, "create schema mart");
    let import = format!(
        "import foreign schema {} from server dwh into mart",
        maria.name
    );
    done(&mut wire, &import);
    assert_eq!(wire.value("select sum(a) from mart.t"), "500500");
    assert_eq!(
        wire.value("select count(*) from mart.t x join mart.t y on x.a + 0 = y.a"),
        "1000"
    );
}

#[test]
fn a_network_that_falls_silent_holds_nobody_for_ever() {
    let (place, _database, network) = place("silent_network");
    let (mut wire, mut other) = (place.gateway.connect(), place.gateway.connect());
    wire.send_query("select i from mart.endless");
    while wire.read().expect("rows come").tag != b'D' {}
    network.freeze();
    // What does not need the server goes on.
    assert_eq!(other.value("select 1"), "1");
    let begun = Instant::now();
    let report = refused(&mut other, "select a from mart.t");
    assert_eq!(report.code(), "08001", "{report:?}");
    assert!(report.message().contains("\"dwh\""), "{report:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    // Who waits for rows can stop, and at once.
    let begun = Instant::now();
    wire.cancel();
    let report = wire.answers().expect_err("it was cancelled");
    assert_eq!(report.code(), "57014", "{report:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    network.thaw();
    let begun = Instant::now();
    while other.query("select a from mart.t").is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(12),
            "it does not come back"
        );
    }
    assert_eq!(other.value("select sum(a) from mart.t"), "500500");
}

#[test]
fn a_server_that_takes_no_more_connections_says_so() {
    let (place, database, _network) = place("full_server");
    let mut wire = place.gateway.connect();
    done(
        &mut database.connect(),
        "drop role if exists warehouse_full; create role warehouse_full login connection limit 0; grant select on t to warehouse_full",
    );
    done(
        &mut wire,
        "alter user mapping for public server dwh options (set user 'warehouse_full')",
    );
    let report = refused(&mut wire, "select a from mart.t");
    assert!(report.code().starts_with("08"), "{report:?}");
    assert!(report.message().contains("\"dwh\""), "{report:?}");
    done(
        &mut database.connect(),
        "alter role warehouse_full connection limit 3",
    );
    assert_eq!(wire.value("select sum(a) from mart.t"), "500500");
    done(
        &mut database.connect(),
        "revoke all on t from warehouse_full",
    );
    let report = refused(&mut wire, "select min(a) from mart.t");
    assert_eq!(report.code(), "42501", "{report:?}");
}
