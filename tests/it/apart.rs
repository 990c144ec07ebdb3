//! What one session sets is never another's, and RESET ALL and DISCARD ALL bring back what was.

use std::net::SocketAddr;

use crate::gateway::{Gateway, postgres, test_lake};
use crate::wire::Wire;

/// Sessions that look on; PostgreSQL has other guests as well.
const N_SESSIONS: usize = 100;
const N_OF_POSTGRES: usize = 3;

/// What shows the settings: themselves, and what they do to values and names.
const SHOWN: &str = "select current_setting('timezone'), current_setting('search_path'), \
     current_setting('datestyle'), current_setting('application_name'), \
     timestamptz '2026-07-01 12:00+00'::text, date '2026-07-01'::text, current_schema()";

/// What one session does to itself.
const CHANGES: &[&str] = &[
    "set timezone = 'Asia/Tokyo'",
    "set search_path = information_schema, pg_catalog",
    "set datestyle = 'German'",
    "set application_name = 'the one'",
    "prepare mine as select 1",
];

fn shown(wire: &mut Wire) -> Vec<Option<String>> {
    let answers = wire.query(SHOWN).expect("settings are shown");
    answers[0].rows[0].clone()
}

/// Changes one session of many, and gives what it showed after each step.
fn check(address: SocketAddr, n_sessions: usize) -> Vec<Vec<Option<String>>> {
    let mut others: Vec<Wire> = (0..n_sessions).map(|_| Wire::connect(address)).collect();
    let mut one = Wire::connect(address);
    let before = shown(&mut one);
    let mut steps = vec![before.clone()];
    for ending in ["reset all", "discard all"] {
        for change in CHANGES {
            one.query(change).expect(change);
            steps.push(shown(&mut one));
            for other in &mut others {
                assert_eq!(shown(other), before, "another's {change}");
            }
        }
        assert_ne!(shown(&mut one), before, "the changes show");
        one.query(ending).expect(ending);
        assert_eq!(shown(&mut one), before, "{ending}");
        let is_kept = one.query("execute mine").is_ok();
        assert_eq!(
            is_kept,
            ending == "reset all",
            "{ending} and what is prepared"
        );
        if is_kept {
            one.query("deallocate mine").expect("it is there");
        }
        for other in &mut others {
            assert_eq!(shown(other), before, "another's {ending}");
            other.query("execute mine").expect_err("it is another's");
        }
    }
    steps
}

#[test]
fn settings_of_one_session_are_seen_by_no_other() {
    let gateway = Gateway::start(&test_lake(), &["--connections", "200"]);
    let (ours, theirs) = (
        check(gateway.address(), N_SESSIONS),
        check(postgres(), N_OF_POSTGRES),
    );
    assert_eq!(ours, theirs);
}
