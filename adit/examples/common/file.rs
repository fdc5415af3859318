//! Reading a TOML file, and refusing it with the line and the reason.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;

/// A configuration file that was read: its values refer back to the lines they came from.
pub(crate) struct File {
    path: PathBuf,
    text: String,
}

impl File {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), text })
    }

    #[cfg(test)]
    pub(crate) fn from_text(text: &str) -> Self {
        Self { path: "test.toml".into(), text: text.to_owned() }
    }

    /// Everything that a type can tell by itself: unknown keys, missing ones, values of the wrong kind.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text)
            .map_err(|error| self.error(error.span().unwrap_or(0..0), error.message()))
    }

    /// An error at `span`, shown with its line.
    pub(crate) fn error(&self, span: Range<usize>, reason: impl fmt::Display) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let source = self.text.lines().nth(line - 1).unwrap_or_default();
        let width = self
            .text
            .get(span)
            .map_or(1, |text| text.lines().next().unwrap_or_default().chars().count().max(1));
        ConfigError(format!(
            "{}:{line}:{}: {reason}\n{line:>5} | {source}\n      | {:column$}{:^<width$}",
            self.path.display(),
            column + 1,
            "",
            "^",
        ))
    }

    /// Parses the text at `value`.
    pub(crate) fn value<T>(
        &self,
        value: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        parse(value.get_ref()).map_err(|reason| self.error(value.span(), reason))
    }

    /// Parses each of several texts.
    pub(crate) fn values<T>(
        &self,
        values: &[Spanned<String>],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        values.iter().map(|value| self.value(value, &parse)).collect()
    }

    /// Reads the file that `name`, relative to this one, names.
    pub(crate) fn load(&self, name: &Spanned<String>) -> Result<Vec<u8>, ConfigError> {
        let path = self.path.parent().unwrap_or(Path::new("")).join(name.get_ref());
        std::fs::read(&path)
            .map_err(|error| self.error(name.span(), format!("{}: {error}", path.display())))
    }

    /// A path relative to this file.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(name)
    }
}

/// A configuration that cannot be used, for a person to read.
#[derive(Debug)]
pub(crate) struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}
