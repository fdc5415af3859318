//! PEM (RFC 7468): the form in which people keep certificates in files.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding};

/// One block of a PEM file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PemBlock {
    /// What stands after `BEGIN`: `CERTIFICATE`, `X509 CRL`, `PRIVATE KEY`, …
    pub label: String,
    /// The content, for most labels DER.
    pub der: Vec<u8>,
}

/// A block of a PEM file that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PemError {
    /// The line of the block's `BEGIN`, counted from 1.
    pub line: usize,
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed PEM block that begins on line {}", self.line)
    }
}

impl core::error::Error for PemError {}

impl PemBlock {
    /// Reads all blocks of a file, in order. Text between blocks is skipped.
    ///
    /// ```
    /// use adit_certval::PemBlock;
    ///
    /// let file = "my CA\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    /// let blocks = PemBlock::read_all(file)?;
    /// assert_eq!(blocks[0].label, "CERTIFICATE");
    /// assert_eq!(blocks[0].der, [0x30, 0]);
    /// # Ok::<(), adit_certval::PemError>(())
    /// ```
    ///
    /// # Errors
    /// If a block that begins is not well-formed up to its end.
    pub fn read_all(text: &str) -> Result<Vec<Self>, PemError> {
        let mut blocks = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(BEGIN) {
            let line = 1 + text[..text.len() - rest.len() + start].matches('\n').count();
            let error = PemError { line };
            let (label, tail) = rest[start + BEGIN.len()..].split_once(DASHES).ok_or(error)?;
            let (body, tail) = tail.split_once(END).ok_or(error)?;
            let (end_label, tail) = tail.split_once(DASHES).ok_or(error)?;
            if label != end_label || !is_label(label) {
                return Err(error);
            }
            // RFC 7468 section 3, laxbase64text: lines of any length, white space anywhere.
            let base64: String = body.split_ascii_whitespace().collect();
            let der = Base64::decode_vec(&base64).map_err(|_| error)?;
            blocks.push(Self { label: label.to_string(), der });
            rest = tail;
        }
        Ok(blocks)
    }

    /// The block as text, in lines of 64 characters, ending with a line feed.
    pub fn to_pem(&self) -> String {
        let base64 = Base64::encode_string(&self.der);
        let mut text = [BEGIN, &self.label, DASHES, "\n"].concat();
        let mut rest = &base64[..];
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(64));
            text.push_str(line);
            text.push('\n');
            rest = tail;
        }
        text.push_str(&[END, &self.label, DASHES, "\n"].concat());
        text
    }
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// RFC 7468 section 3: printable characters but hyphens at the ends.
fn is_label(label: &str) -> bool {
    label.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        && !label.starts_with(['-', ' '])
        && !label.ends_with(['-', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let block = PemBlock { label: "X509 CRL".into(), der: (0..200).collect() };
        let text = block.to_pem();
        assert!(text.lines().all(|line| line.len() <= 64));
        let twice = [&text[..], "between\n", &text].concat();
        assert_eq!(PemBlock::read_all(&twice).unwrap(), [block.clone(), block]);
    }

    #[test]
    fn errors_name_the_line() {
        let line = |text| PemBlock::read_all(text).unwrap_err().line;
        assert_eq!(line("a\nb\n-----BEGIN X-----\nMAA="), 3);
        assert_eq!(line("-----BEGIN X-----\nMAA=\n-----END Y-----\n"), 1);
        assert_eq!(line("\n-----BEGIN X-----\nM*A=\n-----END X-----\n"), 2);
        assert_eq!(PemBlock::read_all("nothing here"), Ok(Vec::new()));
    }
}
