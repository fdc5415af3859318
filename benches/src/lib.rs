//! Criterion benches and the ratio report of Adit.
