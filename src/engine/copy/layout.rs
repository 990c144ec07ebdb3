//! What the options of COPY come to, checked in the order of `ProcessCopyOptions` in copy.c.

use super::options::{Argument, CopyOption, Given};
use crate::error::{Error, ErrorKind, Result};
use crate::types::Encoding;

/// How the rows of COPY are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyLayout {
    /// A line for each row, its values between delimiters, with backslashes before what would be
    /// read as something else.
    Text {
        /// Between two values.
        delimiter: u8,
        /// Stands for NULL.
        null: String,
        /// Whether the first line names the columns.
        header: bool,
    },
    /// As [`CopyLayout::Text`], with quotes.
    Csv {
        /// Between two values.
        delimiter: u8,
        /// Stands for NULL.
        null: String,
        /// Whether the first line names the columns.
        header: bool,
        /// Around what would be read as something else.
        quote: u8,
        /// Before a quote, or itself, within quotes.
        escape: u8,
        /// What is quoted whether it must be or not.
        force_quote: ForceQuote,
    },
    /// PostgreSQL's own.
    Binary,
}

/// The columns of FORCE_QUOTE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForceQuote {
    /// Every one.
    All,
    /// Those of these names.
    Columns(Vec<String>),
}

/// The options by name, each at most once.
#[derive(Debug, Default)]
struct Options {
    format: Option<String>,
    delimiter: Option<String>,
    null: Option<String>,
    header: Option<bool>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<ForceQuote>,
    force_not_null: bool,
    force_null: bool,
}

/// What was given, as a layout.
///
/// # Errors
/// In PostgreSQL's words; `FeatureNotSupported` for another encoding than UTF-8.
pub(super) fn layout(given: &Given<'_>) -> Result<CopyLayout> {
    let options = by_name(given)?;
    let is_csv = options.format.as_deref() == Some("csv");
    let is_binary = options.format.as_deref() == Some("binary");
    for (option, given) in [("DELIMITER", &options.delimiter), ("NULL", &options.null)] {
        if is_binary && given.is_some() {
            let message = format!("cannot specify {option} in BINARY mode");
            return Err(Error::new(ErrorKind::SyntaxError, message));
        }
    }
    let delimiter = options.delimiter.as_deref();
    let delimiter = delimiter.unwrap_or(if is_csv { "," } else { "\t" });
    let null = options.null.as_deref();
    let null = null.unwrap_or(if is_csv { "" } else { "\\N" });
    let delimiter = check_delimiter(delimiter, null, is_csv)?;
    if is_binary && options.header == Some(true) {
        return Err(Error::new(
            ErrorKind::FeatureNotSupported,
            "cannot specify HEADER in BINARY mode",
        ));
    }
    let (quote, escape) = check_quotes(&options, is_csv, delimiter)?;
    check_forced(&options, is_csv)?;
    check_null(null, delimiter, is_csv.then_some(quote))?;
    let (null, header) = (null.to_owned(), options.header.unwrap_or(false));
    Ok(match (is_binary, is_csv) {
        (true, _) => CopyLayout::Binary,
        (false, true) => CopyLayout::Csv {
            delimiter,
            null,
            header,
            quote,
            escape,
            force_quote: options
                .force_quote
                .unwrap_or(ForceQuote::Columns(Vec::new())),
        },
        (false, false) => CopyLayout::Text {
            delimiter,
            null,
            header,
        },
    })
}

fn by_name(given: &Given<'_>) -> Result<Options> {
    let mut options = Options::default();
    for (index, option) in given.options.iter().enumerate() {
        let before = &given.options[..index];
        let known = [
            "format",
            "freeze",
            "delimiter",
            "null",
            "header",
            "quote",
            "escape",
            "force_quote",
            "force_not_null",
            "force_null",
            "encoding",
        ];
        if !known.contains(&option.name.as_str()) {
            let message = format!("option \"{}\" not recognized", option.name);
            return Err(option.error(ErrorKind::SyntaxError, message));
        }
        if before.iter().any(|earlier| earlier.name == option.name) {
            let message = "conflicting or redundant options";
            return Err(option.error(ErrorKind::SyntaxError, message));
        }
        take(&mut options, option)?;
    }
    Ok(options)
}

fn take(options: &mut Options, option: &CopyOption) -> Result<()> {
    match option.name.as_str() {
        "format" => options.format = Some(format(option)?),
        // Of COPY FROM; here it has nothing to do, as in PostgreSQL.
        "freeze" => {
            option.boolean()?;
        }
        "delimiter" => options.delimiter = Some(option.text()?),
        "null" => options.null = Some(option.text()?),
        "header" => options.header = Some(header(option)?),
        "quote" => options.quote = Some(option.text()?),
        "escape" => options.escape = Some(option.text()?),
        "force_quote" => {
            options.force_quote = Some(match &option.argument {
                Argument::Star => ForceQuote::All,
                _ => ForceQuote::Columns(columns(option)?),
            });
        }
        "force_not_null" => options.force_not_null = !columns(option)?.is_empty(),
        "force_null" => options.force_null = !columns(option)?.is_empty(),
        _ => encoding(option)?,
    }
    Ok(())
}

fn format(option: &CopyOption) -> Result<String> {
    let format = option.text()?;
    match format.as_str() {
        "text" | "csv" | "binary" => Ok(format),
        _ => {
            let message = format!("COPY format \"{format}\" not recognized");
            Err(option.error(ErrorKind::InvalidParameterValue, message))
        }
    }
}

/// As `defGetCopyHeaderChoice`.
fn header(option: &CopyOption) -> Result<bool> {
    if let Some(truth) = option.truth() {
        return Ok(truth);
    }
    match &option.argument {
        Argument::Text(text) if text.eq_ignore_ascii_case("match") => {
            let message = format!("cannot use \"{text}\" with HEADER in COPY TO");
            Err(Error::new(ErrorKind::FeatureNotSupported, message))
        }
        _ => Err(option.needs("a Boolean value or \"match\"")),
    }
}

fn columns(option: &CopyOption) -> Result<Vec<String>> {
    match &option.argument {
        Argument::List(names) => Ok(names.clone()),
        _ => {
            let name = &option.name;
            let message = format!("argument to option \"{name}\" must be a list of column names");
            Err(option.error(ErrorKind::InvalidParameterValue, message))
        }
    }
}

fn encoding(option: &CopyOption) -> Result<()> {
    let name = option.text()?;
    match Encoding::of(&name) {
        Some(Encoding::Utf8) => Ok(()),
        Some(_) => Err(Error::unsupported(format!("COPY in encoding \"{name}\""))),
        None => {
            let message = "argument to option \"encoding\" must be a valid encoding name";
            Err(option.error(ErrorKind::InvalidParameterValue, message))
        }
    }
}

fn one_byte(text: &str, what: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => {
            let message = format!("COPY {what} must be a single one-byte character");
            Err(Error::new(ErrorKind::FeatureNotSupported, message))
        }
    }
}

fn check_delimiter(delimiter: &str, null: &str, is_csv: bool) -> Result<u8> {
    let byte = one_byte(delimiter, "delimiter")?;
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidParameterValue, message));
    if matches!(byte, b'\r' | b'\n') {
        return invalid("COPY delimiter cannot be newline or carriage return".to_owned());
    }
    if null.contains(['\r', '\n']) {
        let message = "COPY null representation cannot use newline or carriage return";
        return invalid(message.to_owned());
    }
    let is_reserved = matches!(byte, b'\\' | b'.' | b'a'..=b'z' | b'0'..=b'9');
    if !is_csv && is_reserved {
        return invalid(format!("COPY delimiter cannot be \"{delimiter}\""));
    }
    Ok(byte)
}

fn check_quotes(options: &Options, is_csv: bool, delimiter: u8) -> Result<(u8, u8)> {
    let only_csv = |what: &str, is_given: bool| {
        if is_csv || !is_given {
            return Ok(());
        }
        let message = format!("COPY {what} available only in CSV mode");
        Err(Error::new(ErrorKind::FeatureNotSupported, message))
    };
    only_csv("quote", options.quote.is_some())?;
    let quote = options.quote.as_deref().unwrap_or("\"");
    let quote_byte = match is_csv {
        true => one_byte(quote, "quote")?,
        false => b'"',
    };
    if is_csv && quote_byte == delimiter {
        let message = "COPY delimiter and quote must be different";
        return Err(Error::new(ErrorKind::InvalidParameterValue, message));
    }
    only_csv("escape", options.escape.is_some())?;
    let escape_byte = match (is_csv, &options.escape) {
        (true, Some(escape)) => one_byte(escape, "escape")?,
        _ => quote_byte,
    };
    Ok((quote_byte, escape_byte))
}

fn check_forced(options: &Options, is_csv: bool) -> Result<()> {
    let unsupported = |message: &str| Err(Error::new(ErrorKind::FeatureNotSupported, message));
    let has_quote = match &options.force_quote {
        Some(ForceQuote::All) => true,
        Some(ForceQuote::Columns(names)) => !names.is_empty(),
        None => false,
    };
    match () {
        () if !is_csv && has_quote => unsupported("COPY force quote available only in CSV mode"),
        () if !is_csv && options.force_not_null => {
            unsupported("COPY force not null available only in CSV mode")
        }
        () if options.force_not_null => {
            unsupported("COPY force not null only available using COPY FROM")
        }
        () if !is_csv && options.force_null => {
            unsupported("COPY force null available only in CSV mode")
        }
        () if options.force_null => unsupported("COPY force null only available using COPY FROM"),
        () => Ok(()),
    }
}

fn check_null(null: &str, delimiter: u8, quote: Option<u8>) -> Result<()> {
    let unsupported = |message: &str| Err(Error::new(ErrorKind::FeatureNotSupported, message));
    if null.as_bytes().contains(&delimiter) {
        return unsupported("COPY delimiter must not appear in the NULL specification");
    }
    match quote {
        Some(quote) if null.as_bytes().contains(&quote) => {
            unsupported("CSV quote character must not appear in the NULL specification")
        }
        _ => Ok(()),
    }
}
