//! Patterns in the other syntax, and what is none.

use super::*;

fn check(pattern: &str, expected: &str, is_greedy: bool) {
    let flags = Flags::of("").expect("no letter is wrong");
    let written = written(pattern, &flags).expect("the pattern is one");
    assert_eq!(
        (written.text.as_str(), written.is_greedy),
        (expected, is_greedy)
    );
}

#[test]
fn patterns_are_written_in_the_other_syntax() {
    check("a.c", "(?s)a.c", true);
    check("(b[^b]+)", "(?s)(b(?:[^b])+)", true);
    check("x*?y+", "(?s)(?:x)*?(?:y)+", false);
    check("x*?|y", "(?s)(?:x)*?|y", true);
    check("\\mfoo\\M", "(?s)\\b{start}foo\\b{end}", true);
    check("a{2}b", "(?s)(?:a){2}b", true);
    check("[]a-]{", "(?s)[\\]a\\-]\\{", true);
}

#[test]
fn what_is_none_is_refused() {
    let flags = Flags::of("").expect("no letter is wrong");
    let wrong = [
        "(a",
        "a)",
        "[a",
        "a{2,1}",
        "*a",
        "a**",
        "\\q",
        "^*",
        "[[:nothing:]]",
    ];
    for wrong in wrong {
        let error = written(wrong, &flags).expect_err("it is wrong");
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidPattern(Pattern::Regular),
            "{wrong}"
        );
    }
    for refused in ["(.)\\1", "a(?=b)", "(a*?)*", "***=x"] {
        let error = written(refused, &flags).expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::FeatureNotSupported, "{refused}");
    }
    assert!(Flags::of("z").is_err());
}
