//! How Adit is measured: each cost beside that of a baseline, in one process, in one run.
//!
//! A machine that others share is up to twice as slow for seconds at a time, so a figure alone says
//! little. Every measurement therefore runs alternately with its baseline in slots of a fraction of a
//! millisecond, and what counts is the median over many rounds of the ratio within a round. A round
//! in which a fixed piece of work beside it was slow is tried again, and counts only if few others do.

pub mod bare;
pub mod esp;
pub mod peers;
pub mod threads;

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Collects measurements and prints one tab-separated row for each:
/// `name value unit baseline_value ratio`.
///
/// ```
/// use adit_benches::{Case, Pair, Report};
///
/// let mut report = Report::new("sum/");
/// report.compare("sum/1000", "ns", || {
///     let numbers: Vec<u64> = (0..1000).collect();
///     let doubled = numbers.clone();
///     Pair {
///         ours: Case::new(1, move || numbers.iter().sum::<u64>() as usize),
///         baseline: Some(Case::new(1, move || doubled.iter().sum::<u64>() as usize)),
///     }
/// });
/// ```
pub struct Report {
    prefix: String,
    rows: usize,
    quiet: Quiet,
}

/// One way of doing something, to be timed.
pub struct Case<'a> {
    /// How many operations one call of `run` does.
    operations: usize,
    prepare: Box<dyn FnMut() + 'a>,
    run: Box<dyn FnMut() -> usize + 'a>,
}

/// A thing to measure and what to hold it against.
pub struct Pair<'a> {
    /// What is measured.
    pub ours: Case<'a>,
    /// The least that it could cost, if there is such a thing.
    pub baseline: Option<Case<'a>>,
}

impl<'a> Case<'a> {
    /// A case of which one call of `run` does `operations` operations. What `run` returns is kept from
    /// the optimiser.
    pub fn new(operations: usize, run: impl FnMut() -> usize + 'a) -> Self {
        Self { operations, prepare: Box::new(|| ()), run: Box::new(run) }
    }

    /// Runs `prepare` before each call of `run`, outside the timing.
    pub fn prepared_by(mut self, prepare: impl FnMut() + 'a) -> Self {
        self.prepare = Box::new(prepare);
        self
    }

    /// Warms up, then times calls for a slot. Returns the median of nanoseconds per operation.
    fn slot(&mut self) -> f64 {
        let mut samples = Vec::new();
        let start = now();
        loop {
            (self.prepare)();
            let before = now();
            std::hint::black_box((self.run)());
            let after = now();
            if after - start >= WARM_UP {
                samples.push((after - before).as_nanos() as f64 / self.operations as f64);
            }
            if after - start >= WARM_UP + SLOT && samples.len() >= 3 {
                return median(&mut samples);
            }
        }
    }
}

const WARM_UP: Duration = Duration::from_micros(100);
const SLOT: Duration = Duration::from_micros(200);
/// Rounds of a comparison: at most, and at least even if that takes longer than `BUDGET`.
const ROUNDS: (usize, usize) = (61, 11);
const BUDGET: Duration = Duration::from_millis(400);

impl Report {
    /// A report of the rows whose names start with `prefix`.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), rows: 0, quiet: Quiet::new() }
    }

    /// Whether a row is selected, or, for a name that ends in `/`, whether some row below it may be.
    /// Ask before setting up what many rows share.
    pub fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.prefix) || (name.ends_with('/') && self.prefix.starts_with(name))
    }

    /// Measures nanoseconds per operation, if the row is selected; `set_up` is not called otherwise.
    pub fn compare<'a>(&mut self, name: &str, unit: &str, set_up: impl FnOnce() -> Pair<'a>) {
        if !self.wants(name) {
            return;
        }
        let Pair { mut ours, baseline } = set_up();
        let Some(mut baseline) = baseline else {
            let value = median(&mut self.quiet.rounds(|_| ours.slot()));
            return self.row(name, value, unit, None);
        };
        let pairs = self.quiet.rounds(|round| {
            if round % 2 == 0 {
                let ours = ours.slot();
                (ours, baseline.slot())
            } else {
                let baseline = baseline.slot();
                (ours.slot(), baseline)
            }
        });
        let middle =
            |of: fn(&(f64, f64)) -> f64| median(&mut pairs.iter().map(of).collect::<Vec<_>>());
        let ratio = middle(|(ours, baseline)| ours / baseline);
        self.row(name, middle(|(ours, _)| *ours), unit, Some((middle(|(_, base)| *base), ratio)));
    }

    /// A figure that is not a time, such as bytes of heap, if the row is selected.
    pub fn value(&mut self, name: &str, unit: &str, measure: impl FnOnce() -> f64) {
        if self.wants(name) {
            let value = measure();
            self.row(name, value, unit, None);
        }
    }

    /// A row that this build cannot measure, if it is selected: says on standard error how to get it.
    pub fn missing(&mut self, name: &str, how: &str) {
        if self.wants(name) {
            self.rows += 1;
            eprintln!("SKIP {name}: {how}");
        }
    }

    /// How many rows have been printed.
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn row(&mut self, name: &str, value: f64, unit: &str, baseline: Option<(f64, f64)>) {
        self.rows += 1;
        let mut out = io::stdout().lock();
        let written = match baseline {
            Some((base, ratio)) => {
                writeln!(out, "{name}\t{value:.1}\t{unit}\t{base:.1}\t{ratio:.3}")
            }
            None => writeln!(out, "{name}\t{value:.1}\t{unit}\t-\t-"),
        };
        if written.and_then(|()| out.flush()).is_err() {
            // Whoever read the report has seen enough.
            std::process::exit(0);
        }
    }
}

/// Tells whether the machine is ours alone at the moment, by a piece of work that keeps a core's units
/// busy: what shares the core, or takes it away, slows that down.
struct Quiet {
    data: Vec<u64>,
    best: Duration,
}

impl Quiet {
    fn new() -> Self {
        let mut quiet = Self { data: (0..512).collect(), best: Duration::MAX };
        for _ in 0..1000 {
            quiet.probe();
        }
        quiet
    }

    fn probe(&mut self) -> Duration {
        let before = now();
        let data = std::hint::black_box(&mut self.data);
        for _ in 0..4 {
            for word in data.iter_mut() {
                *word = (*word ^ (*word >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            }
        }
        let took = now() - before;
        self.best = self.best.min(took);
        took
    }

    /// True if the probe takes at most a tenth longer than it ever did.
    fn is_quiet(&mut self) -> bool {
        let mut probes = [self.probe(), self.probe(), self.probe()];
        probes.sort();
        probes[1] <= self.best + self.best / 10
    }

    /// Results of rounds: of the quiet ones, unless there are too few.
    fn rounds<T>(&mut self, mut round: impl FnMut(usize) -> T) -> Vec<T> {
        let (most, least) = ROUNDS;
        let start = now();
        let (mut quiet, mut noisy) = (Vec::new(), Vec::new());
        while quiet.len() + noisy.len() < least
            || (quiet.len() < most && now() - start < BUDGET)
            || (quiet.len() < least && now() - start < 4 * BUDGET)
        {
            let quiet_before = self.is_quiet();
            let result = round(quiet.len() + noisy.len());
            let place = if quiet_before && self.is_quiet() { &mut quiet } else { &mut noisy };
            place.push(result);
        }
        if quiet.len() < least {
            quiet.append(&mut noisy);
        }
        quiet
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The present instant, for measurements that are too long to repeat in slots.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this is for")]
pub fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_selects_rows_and_their_parents() {
        let report = Report::new("esp/seal/aes-128");
        assert!(report.wants("esp/seal/aes-128-gcm/ring/64"));
        assert!(report.wants("esp/seal/"));
        assert!(!report.wants("esp/open/"));
        assert!(!report.wants("esp/seal"));
        assert!(Report::new("").wants("anything"));
    }

    #[test]
    fn what_is_not_selected_is_not_set_up() {
        let mut report = Report::new("esp/");
        report.compare("ike/handshake", "ns", || unreachable!("not selected"));
        report.value("ike/heap-per-sa", "bytes", || unreachable!("not selected"));
        assert_eq!(report.rows(), 0);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), 5.0);
    }
}
