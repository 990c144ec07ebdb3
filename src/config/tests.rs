//! What the flags say, and what is refused of them.

use super::*;

pub(super) fn check(arguments: &[&str]) -> Result<Config, String> {
    let words = ["lakegate", "serve"].iter().chain(arguments);
    match CommandLine::try_parse_from(words)
        .expect("the flags exist")
        .command
    {
        Command::Serve(arguments) => arguments.check(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn beyond_loopback_only_encrypted_or_if_told() {
    let beyond = ["--listen", "0.0.0.0:5433"];
    let with = |more: &[&str]| check(&[&beyond[..], more].concat());
    assert!(with(&[]).is_err());
    assert!(with(&["--insecure"]).is_ok());
    let pair = ["--tls-cert", "a.crt", "--tls-key", "a.key"];
    assert!(with(&pair).is_ok());
    assert!(with(&[&pair[..], &["--tls", "off"]].concat()).is_err());
    assert!(check(&["--listen", "[::1]:0"]).is_ok());
}

#[test]
fn limits_are_checked() {
    assert!(check(&["--connections", "0"]).is_err());
    assert!(check(&["--memory-mib", "0"]).is_err());
    assert!(check(&["--login-seconds", "0"]).is_err());
    let config = check(&["--memory-mib", "64"]).expect("64 MiB is enough");
    assert_eq!(config.lake.memory.statements_bytes_max, 64 << 20);
    let config = check(&["--cache-mib", "0"]).expect("nothing is kept then");
    assert_eq!(config.lake.memory.answers_bytes_max, 0);
}
