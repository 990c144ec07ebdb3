//! Parses the statements about row policies and column masks.
//! <https://www.postgresql.org/docs/16/sql-createpolicy.html>,
//! <https://www.postgresql.org/docs/16/sql-security-label.html>

use datafusion::sql::sqlparser::tokenizer::Token;

use super::grant::behavior;
use super::names::{list, name, of_path, path};
use super::role::{RoleSpec, role_spec};
use super::{Cursor, Definition, Lines, Name, SelectText, tokens};
use crate::auth::PolicyCommand;
use crate::error::{Error, ErrorKind, Result};

/// The provider of labels that masks are written with.
const PROVIDER: &str = "lakegate";

/// CREATE POLICY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatePolicy {
    /// The policy.
    pub name: String,
    /// The relation whose rows it is about.
    pub on: Name,
    /// AS PERMISSIVE, else RESTRICTIVE.
    pub is_permissive: bool,
    /// FOR.
    pub command: PolicyCommand,
    /// TO.
    pub roles: Vec<RoleSpec>,
    /// USING.
    pub using: Option<SelectText>,
}

/// ALTER POLICY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterPolicy {
    /// The policy.
    pub name: String,
    /// The relation whose rows it is about.
    pub on: Name,
    /// What changes.
    pub change: PolicyChange,
}

/// What ALTER POLICY does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    /// RENAME TO.
    Rename(String),
    /// TO and USING; `None` leaves what is.
    Set {
        /// TO.
        roles: Option<Vec<RoleSpec>>,
        /// USING.
        using: Option<SelectText>,
    },
}

/// What ALTER TABLE says of row security.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowSecurityChange {
    /// ENABLE, or DISABLE.
    Enabled(bool),
    /// FORCE, or NO FORCE.
    Forced(bool),
}

/// ALTER TABLE and ALTER VIEW ... ROW LEVEL SECURITY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterRowSecurity {
    /// The relation.
    pub on: Name,
    /// ALTER VIEW; ALTER TABLE is for views as well.
    pub is_view: bool,
    /// Whether one that is not there is passed over.
    pub if_exists: bool,
    /// What changes.
    pub change: RowSecurityChange,
}

/// SECURITY LABEL ON COLUMN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelColumn {
    /// The relation.
    pub on: Name,
    /// The column's name.
    pub column: String,
    /// `None` takes the label away.
    pub label: Option<MaskLabel>,
}

/// `MASKED WITH (expression) EXCEPT FOR roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskLabel {
    /// What stands in place of the column's values.
    pub expression: SelectText,
    /// Who sees the values themselves.
    pub except: Vec<RoleSpec>,
}

/// CREATE POLICY, behind these words.
pub(super) fn create_policy(
    text: &str,
    lines: &Lines,
    cursor: &mut Cursor<'_>,
) -> Result<Definition> {
    let policy = cursor.name()?;
    cursor.expect("ON")?;
    let on = name(cursor)?;
    let is_permissive = match cursor.skip_any(&["AS"]) {
        true => is_permissive(cursor)?,
        false => true,
    };
    let command = match cursor.skip_any(&["FOR"]) {
        true => command(cursor)?,
        false => PolicyCommand::All,
    };
    let roles = match cursor.skip_any(&["TO"]) {
        true => list(cursor, role_spec)?,
        false => vec![RoleSpec::Public],
    };
    let using = using(text, lines, cursor)?;
    if using.is_some() && command == PolicyCommand::Insert {
        let message = "only WITH CHECK expression allowed for INSERT";
        return Err(Error::new(ErrorKind::SyntaxError, message));
    }
    Ok(Definition::CreatePolicy(CreatePolicy {
        name: policy,
        on,
        is_permissive,
        command,
        roles,
        using,
    }))
}

fn is_permissive(cursor: &mut Cursor<'_>) -> Result<bool> {
    let word = cursor.name()?;
    match word.as_str() {
        "permissive" => Ok(true),
        "restrictive" => Ok(false),
        other => {
            let message = format!("unrecognized row security option \"{other}\"");
            Err(Error::new(ErrorKind::SyntaxError, message)
                .with_hint("Only PERMISSIVE or RESTRICTIVE policies are supported currently."))
        }
    }
}

fn command(cursor: &mut Cursor<'_>) -> Result<PolicyCommand> {
    let word = cursor.peek();
    let found = PolicyCommand::EVERY
        .into_iter()
        .find(|command| word.as_deref() == Some(command.word()));
    let found = found.ok_or_else(|| cursor.unexpected())?;
    cursor.read();
    Ok(found)
}

/// USING; WITH CHECK is refused, for it is about rows that are written.
fn using(text: &str, lines: &Lines, cursor: &mut Cursor<'_>) -> Result<Option<SelectText>> {
    let using = match cursor.skip_any(&["USING"]) {
        true => Some(parenthesized(text, lines, cursor)?),
        false => None,
    };
    match cursor.skip_all(&["WITH", "CHECK"]) {
        true => Err(Error::unsupported("WITH CHECK of a policy")
            .with_hint("Nothing is written here: say what may be read by USING.")),
        false => Ok(using),
    }
}

/// The text between parentheses, which must close again.
fn parenthesized(text: &str, lines: &Lines, cursor: &mut Cursor<'_>) -> Result<SelectText> {
    cursor.expect_sign(&Token::LParen)?;
    let first = cursor.first().ok_or_else(|| cursor.unexpected())?;
    let mut last = first;
    let mut depth = 0;
    loop {
        let Some(token) = cursor.first() else {
            return Err(cursor.unexpected());
        };
        match token.token {
            Token::RParen if depth == 0 => break,
            Token::RParen => depth -= 1,
            Token::LParen => depth += 1,
            _ => {}
        }
        last = token;
        cursor.read();
    }
    if first.token == Token::RParen && std::ptr::eq(first, last) {
        return Err(cursor.unexpected());
    }
    cursor.expect_sign(&Token::RParen)?;
    let (start, end) = (first.span.start, last.span.end);
    Ok(SelectText {
        text: text[lines.byte(text, start)..lines.byte(text, end)].to_owned(),
        position: lines.position(start),
    })
}

/// ALTER POLICY, behind these words.
pub(super) fn alter_policy(
    text: &str,
    lines: &Lines,
    cursor: &mut Cursor<'_>,
) -> Result<Definition> {
    let policy = cursor.name()?;
    cursor.expect("ON")?;
    let on = name(cursor)?;
    let change = match cursor.skip_all(&["RENAME", "TO"]) {
        true => PolicyChange::Rename(cursor.name()?),
        false => PolicyChange::Set {
            roles: match cursor.skip_any(&["TO"]) {
                true => Some(list(cursor, role_spec)?),
                false => None,
            },
            using: using(text, lines, cursor)?,
        },
    };
    Ok(Definition::AlterPolicy(AlterPolicy {
        name: policy,
        on,
        change,
    }))
}

/// DROP POLICY, behind these words.
pub(super) fn drop_policy(cursor: &mut Cursor<'_>) -> Result<Definition> {
    let if_exists = cursor.skip_all(&["IF", "EXISTS"]);
    let policy = cursor.name()?;
    cursor.expect("ON")?;
    let on = name(cursor)?;
    // Nothing depends on a policy.
    behavior(cursor);
    Ok(Definition::DropPolicy {
        name: policy,
        on,
        if_exists,
    })
}

/// What ALTER TABLE and ALTER VIEW say of row security, behind the relation's name; `None` if they
/// say something else.
pub(super) fn row_security_change(cursor: &mut Cursor<'_>) -> Option<RowSecurityChange> {
    let changes: [(&[&str], RowSecurityChange); 4] = [
        (&["ENABLE"], RowSecurityChange::Enabled(true)),
        (&["DISABLE"], RowSecurityChange::Enabled(false)),
        (&["FORCE"], RowSecurityChange::Forced(true)),
        (&["NO", "FORCE"], RowSecurityChange::Forced(false)),
    ];
    let place = cursor.place();
    for (words, change) in changes {
        if cursor.skip_all(words) && cursor.skip_all(&["ROW", "LEVEL", "SECURITY"]) {
            return Some(change);
        }
        cursor.go_back(place);
    }
    None
}

/// SECURITY LABEL, behind these words.
pub(super) fn security_label(cursor: &mut Cursor<'_>) -> Result<Definition> {
    if cursor.skip_any(&["FOR"]) {
        let provider = match cursor.string() {
            Ok(provider) => provider,
            Err(_) => cursor.name()?,
        };
        if provider != PROVIDER {
            // As ExecSecLabelStmt in seclabel.c.
            let message = format!("security label provider \"{provider}\" is not loaded");
            return Err(Error::new(ErrorKind::InvalidParameterValue, message));
        }
    }
    cursor.expect("ON")?;
    let kind = cursor.word().ok_or_else(|| cursor.unexpected())?;
    if kind != "COLUMN" {
        return Err(Error::unsupported(format!("SECURITY LABEL ON {kind}")));
    }
    let mut path = path(cursor)?;
    let column = path.pop().unwrap_or_default();
    if path.is_empty() {
        let message = "column name must be qualified";
        return Err(Error::new(ErrorKind::SyntaxError, message));
    }
    let on = of_path(cursor, path)?;
    cursor.expect("IS")?;
    let label = match cursor.skip_any(&["NULL"]) {
        true => None,
        false => Some(mask_label(&cursor.string()?)?),
    };
    Ok(Definition::LabelColumn(LabelColumn { on, column, label }))
}

/// What a label says.
fn mask_label(label: &str) -> Result<MaskLabel> {
    let lines = Lines::of(label);
    let read = tokens(label, &lines).and_then(|tokens| {
        let mut cursor = Cursor::new(&lines, &tokens);
        cursor.expect("MASKED")?;
        cursor.expect("WITH")?;
        let expression = parenthesized(label, &lines, &mut cursor)?;
        let except = match cursor.skip_all(&["EXCEPT", "FOR"]) {
            true => list(&mut cursor, role_spec)?,
            false => Vec::new(),
        };
        cursor.expect_end()?;
        Ok(MaskLabel { expression, except })
    });
    read.map_err(|error| {
        let message = format!("\"{label}\" is not a valid security label");
        Error::new(ErrorKind::InvalidParameterValue, message)
            .with_detail(format!("In the label: {}.", error.message()))
            .with_hint("A label of a column is MASKED WITH (expression) [EXCEPT FOR role, ...].")
    })
}

#[cfg(test)]
mod tests {
    use super::super::{definition, statements};
    use super::*;

    fn parsed(text: &str) -> Result<Definition> {
        let lines = Lines::of(text);
        let tokens = tokens(text, &lines)?;
        let own = statements(&tokens).next().expect("it is a statement");
        definition(text, &lines, own, None).expect("it defines something")
    }

    fn check_condition(text: &str, expected: Option<&str>) {
        let condition = match parsed(text) {
            Ok(Definition::CreatePolicy(policy)) => policy.using.map(|using| using.text),
            Ok(Definition::LabelColumn(label)) => label.label.map(|it| it.expression.text),
            other => panic!("{other:?}"),
        };
        assert_eq!(condition.as_deref(), expected, "{text}");
    }

    #[test]
    fn conditions_are_kept_as_written() {
        check_condition(
            "create policy p on t using ( a = ')' /* ) */ and (b) )",
            Some("a = ')' /* ) */ and (b)"),
        );
        check_condition("create policy p on t as restrictive for select to a", None);
        check_condition(
            "security label for lakegate on column s.t.c is 'masked with (left(c, 1) || ''*'') except for a'",
            Some("left(c, 1) || '*'"),
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, expected) in [
            ("create policy p on t using (a", ErrorKind::SyntaxError),
            ("create policy p on t using ()", ErrorKind::SyntaxError),
            (
                "create policy p on t using (a) or (true)",
                ErrorKind::SyntaxError,
            ),
            ("create policy p on t as loud", ErrorKind::SyntaxError),
            (
                "create policy p on t for insert using (a)",
                ErrorKind::SyntaxError,
            ),
            (
                "create policy p on t with check (a)",
                ErrorKind::FeatureNotSupported,
            ),
            (
                "security label for anon on column s.t.c is 'masked'",
                ErrorKind::InvalidParameterValue,
            ),
            (
                "security label on column s.t.c is 'masked with (a)) or (b)'",
                ErrorKind::InvalidParameterValue,
            ),
            (
                "security label on table t is 'masked with (a)'",
                ErrorKind::FeatureNotSupported,
            ),
        ] {
            let refused = parsed(text).expect_err(text);
            assert_eq!(refused.kind(), expected, "{text}: {refused:?}");
        }
    }
}
