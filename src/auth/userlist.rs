//! The file of `--auth-file`, in the form of PgBouncer's userlist.txt.
//! <https://www.pgbouncer.org/config.html#authentication-file-format>
//!
//! A line is `"name" "verifier"`; a quote within quotes is doubled. What begins with `;` or `#` is
//! a comment.

use std::collections::BTreeMap;

use super::verifier::{VERIFIER_HINT, Verifier, is_md5};

/// Users and their verifiers.
#[derive(Debug, Default)]
pub struct Userlist {
    users: BTreeMap<String, Verifier>,
}

impl Userlist {
    /// Reads the file's text.
    ///
    /// # Errors
    /// A sentence that begins with the number of the line at fault.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut users = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let at = |message: String| format!("line {}: {message}", index + 1);
            let Some((name, secret)) = entry(line).map_err(at)? else {
                continue;
            };
            let verifier = verifier(&name, &secret).map_err(at)?;
            if users.insert(name.clone(), verifier).is_some() {
                return Err(at(format!("user \"{name}\" is listed twice")));
            }
        }
        Ok(Self { users })
    }

    /// The verifier of a user.
    pub fn verifier(&self, user: &str) -> Option<&Verifier> {
        self.users.get(user)
    }
}

/// The name and secret of a line; `None` if it is empty or a comment.
fn entry(line: &str) -> Result<Option<(String, String)>, String> {
    let rest = line.trim();
    if is_over(rest) {
        return Ok(None);
    }
    let (name, rest) = quoted(rest)?;
    let (secret, rest) = quoted(rest)?;
    if name.is_empty() {
        return Err("the user's name is empty".to_owned());
    }
    match is_over(rest) {
        true => Ok(Some((name, secret))),
        false => Err("there is more than a name and a verifier".to_owned()),
    }
}

fn is_over(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([';', '#'])
}

/// The text in quotes that comes first, and what comes after it and its space.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let form = || "expected \"name\" \"verifier\", both in double quotes".to_owned();
    let mut rest = text.strip_prefix('"').ok_or_else(form)?;
    let mut value = String::new();
    loop {
        let (before, after) = rest.split_once('"').ok_or_else(form)?;
        value.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                value.push('"');
                rest = after;
            }
            None => return Ok((value, after.trim_start())),
        }
    }
}

fn verifier(name: &str, secret: &str) -> Result<Verifier, String> {
    if let Some(verifier) = Verifier::parse(secret) {
        return Ok(verifier);
    }
    let what = match secret {
        md5 if is_md5(md5) => "an md5 hash",
        broken if broken.starts_with("SCRAM-SHA-256$") => "a damaged verifier",
        "" => "nothing",
        _ => "a plain password",
    };
    Err(format!(
        "user \"{name}\" has {what} where a SCRAM-SHA-256 verifier must stand. {VERIFIER_HINT}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    fn check(text: &str, expected: Result<&[&str], &str>) {
        let text = text.replace("VERIFIER", VERIFIER);
        let got = Userlist::parse(&text);
        match (got, expected) {
            (Ok(list), Ok(names)) => {
                let got: Vec<&str> = list.users.keys().map(String::as_str).collect();
                assert_eq!(got, names);
            }
            (Err(message), Err(start)) => {
                assert!(message.starts_with(start), "{message}");
                assert!(!message.contains("geheim"), "{message}");
            }
            (got, expected) => panic!("{got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn lists_are_read() {
        check("", Ok(&[]));
        check("; none\n# none\n\n  \r\n", Ok(&[]));
        check(
            "\"bi\" \"VERIFIER\"\r\n\t\"a \"\"b\"\"\" \"VERIFIER\" ; the other one\n",
            Ok(&["a \"b\"", "bi"]),
        );
    }

    #[test]
    fn what_is_no_list_is_refused_by_line() {
        check(
            "\n\"bi\" \"geheim\"",
            Err("line 2: user \"bi\" has a plain password"),
        );
        check(
            "\"bi\" \"md5a6343a68d964ca596d9752250d54bb8a\"",
            Err("line 1: user \"bi\" has an md5 hash"),
        );
        check("\"bi\" \"\"", Err("line 1: user \"bi\" has nothing"));
        check(
            "\"bi\" \"SCRAM-SHA-256$1\"",
            Err("line 1: user \"bi\" has a damaged"),
        );
        check("bi VERIFIER", Err("line 1: expected \"name\""));
        check("\"bi", Err("line 1: expected \"name\""));
        check("\"bi\" \"VERIFIER\" x", Err("line 1: there is more"));
        check("\"\" \"VERIFIER\"", Err("line 1: the user's name is empty"));
        let twice = "\"bi\" \"VERIFIER\"\n\"bi\" \"VERIFIER\"";
        check(twice, Err("line 2: user \"bi\" is listed twice"));
    }
}
