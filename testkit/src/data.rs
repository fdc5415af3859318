//! Test data that is shared beside the repository and is not part of it: captures, vectors, certificates.

use std::io::Write;
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

/// The directory that holds all shared test data; it may not be there.
pub fn directory() -> PathBuf {
    match std::env::var_os("ADIT_TEST_DATA") {
        Some(directory) => directory.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    }
}
