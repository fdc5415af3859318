//! Test data that is shared beside the repository and is not part of it: captures, vectors, certificates.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The content of a shared file such as `aaa/captures.json`.
///
/// It is looked for in the directory that the environment variable `ADIT_TEST_DATA` names, or else in
/// `shared` beside the checkout. If it is not there, a line that begins with `SKIP` says so on standard
/// error and the test that wanted it can only end early.
///
/// ```
/// let Some(captures) = adit_testkit::data::read("aaa/captures.json") else { return };
/// assert!(captures.starts_with(b"["));
/// ```
///
/// # Panics
/// If the file is there and cannot be read.
pub fn read(name: &str) -> Option<Vec<u8>> {
    let path = directory().join(name);
    if !path.exists() {
        // Past the capture of the test harness, which would hide it while the test passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: {} is not there; set ADIT_TEST_DATA to the directory that holds {name}",
            path.display()
        );
        return None;
    }
    match std::fs::read(&path) {
        Ok(content) => Some(content),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// The files of a shared `.tar.xz` archive such as `cert/pyca-x509-misc.tar.xz`, with their paths in it, or `None`
/// as [`read`] does.
///
/// ```
/// let Some(files) = adit_testkit::data::archive("cert/pyca-x509-misc.tar.xz") else { return };
/// assert!(files.iter().any(|(path, _)| path.ends_with(".p12")));
/// ```
///
/// # Panics
/// If the file is there and is no archive of that form.
pub fn archive(name: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let compressed = read(name)?;
    let mut tar = Vec::new();
    lzma_rust2::XzReader::new(&compressed[..], true)
        .read_to_end(&mut tar)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    Some(untar(&tar))
}

/// The regular files of a tar archive (POSIX ustar): a header of 512 bytes each, the content padded to as many.
fn untar(mut tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
    };
    let mut files = Vec::new();
    while let Some((header, rest)) = tar.split_at_checked(512).filter(|(h, _)| h[0] != 0) {
        let len = usize::from_str_radix(&text(&header[124..136]), 8).expect("an octal length");
        if matches!(header[156], b'0' | 0) {
            let (prefix, path) = (text(&header[345..500]), text(&header[..100]));
            let path = if prefix.is_empty() { path } else { prefix + "/" + &path };
            files.push((path, rest[..len].to_vec()));
        }
        tar = &rest[len.next_multiple_of(512).min(rest.len())..];
    }
    files
}

/// The directory that holds all shared test data; it may not be there.
pub fn directory() -> PathBuf {
    match std::env::var_os("ADIT_TEST_DATA") {
        Some(directory) => directory.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    }
}
