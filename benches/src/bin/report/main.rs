//! The ratio report: `cargo run --release -p adit-benches --bin report [PREFIX]`.
//!
//! Prints one tab-separated row per measurement whose name starts with PREFIX:
//! `name value unit baseline_value ratio`. The ratio is our cost over the baseline's, so less is better;
//! `-` stands where no baseline is meaningful.
//!
//! Each area of the report is a module with `pub(crate) fn rows(report: &mut Report)`; a new one is added to
//! [`AREAS`].

mod certval;
mod esp;
mod ike;
mod radius;

use std::process::ExitCode;

use adit_benches::Report;

#[global_allocator]
static ALLOCATOR: adit_testkit::alloc::Counting = adit_testkit::alloc::Counting;

/// The first part of the names of an area's rows, and what measures them.
type Area = (&'static str, fn(&mut Report));

const AREAS: &[Area] = &[
    ("certval/", certval::rows),
    ("esp/", esp::rows),
    ("ike/", ike::rows),
    ("radius/", radius::rows),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let prefix = arguments.next().unwrap_or_default();
    if prefix.starts_with('-') || arguments.next().is_some() {
        eprintln!("usage: report [PREFIX]");
        return ExitCode::from(2);
    }
    let mut report = Report::new(&prefix);
    for (area, rows) in AREAS {
        if report.wants(area) {
            rows(&mut report);
        }
    }
    if report.rows() == 0 {
        eprintln!("no measurement's name starts with {prefix:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
