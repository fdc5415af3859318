//! A test body run for many seeds; a failing one is printed and can be run again alone.

use std::ops::Range;

/// Runs `body` once for each seed in `seeds`, or only for the seed in the environment variable
/// `ADIT_SEED` when that is set. The seed of a run that panics is printed with the way to replay it.
///
/// ```
/// use adit_testkit::{rng::SeededRng, seed};
///
/// seed::run(0..20, |seed| {
///     let mut rng = SeededRng::new(seed);
///     assert!(rng.below(6) < 6);
/// });
/// ```
///
/// # Panics
/// If `ADIT_SEED` is set and is not a number: a replay that silently tests something else is worse.
pub fn run(seeds: Range<u64>, mut body: impl FnMut(u64)) {
    let mut one = |seed| {
        let guard = PrintOnPanic(seed);
        body(seed);
        drop(guard);
    };
    match std::env::var("ADIT_SEED") {
        Ok(text) => match text.trim().parse() {
            Ok(seed) => one(seed),
            Err(error) => panic!("ADIT_SEED={text}: {error}"),
        },
        Err(_) => seeds.for_each(one),
    }
}

/// Says which seed failed while the panic passes through.
struct PrintOnPanic(u64);

impl Drop for PrintOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {0}; replay this run alone with ADIT_SEED={0}", self.0);
        }
    }
}
