//! Messages that are almost right: a gateway neither panics, hangs nor grows, and goes on serving.
//!
//! The seed is printed when the test fails. `LAKEGATE_TEST_GARBAGE_SEED` repeats it,
//! `LAKEGATE_TEST_GARBAGE_MESSAGES` says how many; `make soak` sends a million.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};

use crate::certificates::Secrets;
use crate::gateway::{Gateway, given_if_set, test_lake};
use crate::login::{GSS_REQUEST, SSL_REQUEST, connect, initial};
use crate::wire::{Wire, message, startup};

const N_MESSAGES: usize = 20_000;
const N_CLIENTS: usize = 8;

/// Messages on one connection.
const N_PER_CONNECTION: usize = 25;

/// Memory that a gateway may have more of at the end, in MiB.
const GROWTH_MIB_MAX: u64 = 150;

/// What clients say before their session.
fn beginnings() -> Vec<Vec<u8>> {
    let newer = startup(&[("user", "ada"), ("_pq_.x", "1")]);
    vec![
        SSL_REQUEST.to_vec(),
        GSS_REQUEST.to_vec(),
        startup(&[("user", "ada"), ("database", "lake")]),
        startup(&[
            ("user", "ada"),
            ("options", "-c search_path=gold -cjit=off"),
        ]),
        newer,
        [
            &16_u32.to_be_bytes()[..],
            &80_877_102_u32.to_be_bytes(),
            &[0, 0, 0, 1, 1, 2, 3, 4],
        ]
        .concat(),
        initial("SCRAM-SHA-256", b"n,,n=,r=rOprNGfwEbeRWgbNEkqO"),
        message(
            b'p',
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        ),
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03".to_vec(),
    ]
}

/// What clients say in their session.
fn messages() -> Vec<Vec<u8>> {
    vec![
        message(b'Q', b"select 1\0"),
        message(
            b'Q',
            b"begin; set local timezone = 'Europe/Berlin'; savepoint a; rollback\0",
        ),
        message(
            b'Q',
            b"select n, n::text from generate_series(1, 3) as g(n) where n > 1\0",
        ),
        message(b'Q', b"\0"),
        message(
            b'P',
            b"s\0select $1::int4 + 1, $2::text\0\0\x02\0\0\0\x17\0\0\0\x19",
        ),
        message(b'P', b"\0show timezone\0\0\0"),
        message(
            b'B',
            b"p\0s\0\0\x02\0\x01\0\0\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x02ab\0\x01\0\x01",
        ),
        message(b'B', &[0; 8]),
        message(b'D', b"Ss\0"),
        message(b'D', b"Pp\0"),
        message(b'E', b"p\0\0\0\0\x01"),
        message(b'E', &[0; 5]),
        message(b'C', b"Ss\0"),
        message(b'H', b""),
        message(b'S', b""),
        message(b'F', b"\0\0\0\x01\0\0\0\0\0\0"),
        message(b'd', b"1\t2\n"),
        message(b'c', b""),
        message(b'f', b"no\0"),
    ]
}

/// Changes a message a little: often in one place, sometimes in its length, rarely altogether.
fn mutate(rng: &mut StdRng, message: &mut Vec<u8>) {
    for _ in 0..rng.random_range(0..3) {
        let at = rng.random_range(0..message.len().max(1)).min(message.len());
        match rng.random_range(0..8) {
            0 => message.truncate(at),
            1 => message.insert(at, rng.random()),
            2 => {
                let mut noise = vec![0; rng.random_range(1..20)];
                rng.fill_bytes(&mut noise);
                message.splice(at..at, noise);
            }
            3 if message.len() > 5 => {
                let length: u32 = *[0, 3, 4, 5, 1_000, 9_999, 70_000, 1 << 24, 1 << 31, u32::MAX]
                    .choose(rng)
                    .expect("there are some");
                message[1..5].copy_from_slice(&length.to_be_bytes());
            }
            _ => {
                if let Some(byte) = message.get_mut(at) {
                    *byte = match rng.random_range(0..3) {
                        0 => rng.random(),
                        1 => *byte ^ (1 << rng.random_range(0..8)),
                        _ => *[0, 0x7f, 0x80, 0xff].choose(rng).expect("there are some"),
                    };
                }
            }
        }
    }
}

/// One connection's worth.
fn script(rng: &mut StdRng) -> Vec<u8> {
    let (beginnings, messages) = (beginnings(), messages());
    let mut script = Vec::new();
    if rng.random_bool(0.3) {
        for _ in 0..rng.random_range(1..4) {
            let mut beginning = beginnings.choose(rng).expect("there are some").clone();
            mutate(rng, &mut beginning);
            script.extend(beginning);
        }
    } else {
        script.extend(startup(&[("user", "ada")]));
    }
    for _ in 0..N_PER_CONNECTION {
        let mut message = messages.choose(rng).expect("there are some").clone();
        // Most stay whole, or nothing behind the first would ever be read.
        if rng.random_bool(0.25) {
            mutate(rng, &mut message);
        }
        script.extend(message);
    }
    script
}

/// Sends scripts until enough messages are sent. A connection that is not closed in time fails.
fn send(gateway: &Gateway, seed: u64, n_sent: &AtomicUsize, n_messages: usize) {
    let mut rng = StdRng::seed_from_u64(seed);
    while n_sent.fetch_add(N_PER_CONNECTION, Ordering::Relaxed) < n_messages {
        let script = script(&mut rng);
        let mut socket = connect(gateway.address());
        // The gateway may have closed it before all is sent.
        let _ = socket.write_all(&script);
        let _ = socket.shutdown(Shutdown::Write);
        let mut answers = Vec::new();
        let end = socket.read_to_end(&mut answers);
        let is_late = end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(
            !is_late,
            "the gateway neither answers nor leaves: {script:?}"
        );
    }
}

#[test]
fn nothing_that_is_almost_right_does_harm() {
    let number = |name: &str| given_if_set(name).map(|text| text.parse().expect("a number"));
    let seed = number("LAKEGATE_TEST_GARBAGE_SEED").unwrap_or_else(|| rand::rng().next_u64());
    let n_messages = number("LAKEGATE_TEST_GARBAGE_MESSAGES");
    let n_messages = n_messages.map_or(N_MESSAGES, |n| usize::try_from(n).expect("it fits"));
    println!("LAKEGATE_TEST_GARBAGE_SEED={seed}");
    let secrets = Secrets::new();
    let arguments = secrets.arguments();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    arguments.extend(["--login-seconds", "5"]);
    let gateway = Gateway::start(&test_lake(), &arguments);
    assert_eq!(Wire::connect(gateway.address()).value("select 1"), "1");
    let (before, n_sent) = (gateway.resident_mib(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..N_CLIENTS {
            let own_seed = seed.wrapping_add(u64::try_from(client).expect("it is small"));
            let (gateway, n_sent) = (&gateway, &n_sent);
            scope.spawn(move || send(gateway, own_seed, n_sent, n_messages));
        }
    });
    assert_eq!(Wire::connect(gateway.address()).value("select 1"), "1");
    let after = gateway.resident_mib();
    assert!(
        after < before + GROWTH_MIB_MAX,
        "{before} MiB, then {after} MiB"
    );
    let log = gateway.log();
    assert!(
        !log.contains("panicked at") && !log.contains("ERROR"),
        "{log}"
    );
}
