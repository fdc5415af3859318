//! What is shown: text as it happens, or one JSON object at the end.

use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::traffic::Totals;

pub(crate) struct Report {
    json: bool,
    start: Instant,
    section: Instant,
    title: String,
    bar: Option<ProgressBar>,
    stages: Vec<Value>,
    results: serde_json::Map<String, Value>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        let now = Instant::now();
        let (stages, results) = (Vec::new(), serde_json::Map::new());
        Self { json, start: now, section: now, title: String::new(), bar: None, stages, results }
    }

    pub(crate) fn section(&mut self, title: &str) {
        self.section = Instant::now();
        self.title = title.to_owned();
        self.say(&format!("\n{title}"));
    }

    pub(crate) fn stage(&mut self, what: &str) {
        self.stage_at(Instant::now(), what);
    }

    /// A stage that was reached at `at`.
    pub(crate) fn stage_at(&mut self, at: Instant, what: &str) {
        let ms = at.saturating_duration_since(self.section).as_secs_f64() * 1e3;
        self.say(&format!("  {ms:>9.1} ms  {what}"));
        self.stages.push(json!({ "section": self.title, "stage": what, "ms": ms }));
    }

    /// A bar that counts bytes; drawn only where a person looks.
    pub(crate) fn bar(&mut self) -> ProgressBar {
        let target = match self.json {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(8),
        };
        let style = "  {bar:40} {bytes}/{total_bytes}  {bytes_per_sec}";
        let style =
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(style);
        self.bar = Some(bar.clone());
        bar
    }

    pub(crate) fn throughput(&mut self, totals: &Totals, bare: Duration) {
        self.bar = None;
        let seconds = totals.elapsed.as_secs_f64();
        let rate = totals.bytes as f64 / seconds;
        let bare_rate = totals.size as f64 / bare.as_secs_f64();
        let share = bare.as_secs_f64() * totals.carried as f64 / seconds;
        self.stage(&format!(
            "{} packets of {} bytes, both ways together",
            totals.carried, totals.size
        ));
        self.say(&format!(
            "             {} lost, {} duplicated\n             {:.0} MB/s through two UDP sockets and two endpoints\n             \
             {:.0} MB/s is what the bare AEAD takes to seal and open the same on one core:\n             it is {:.0} % of the time",
            totals.lost(),
            totals.duplicated,
            rate / 1e6,
            bare_rate / 1e6,
            share * 100.0,
        ));
        self.results.insert(
            "throughput".to_owned(),
            json!({
                "bytes": totals.bytes,
                "packets": totals.carried,
                "packet_bytes": totals.size,
                "seconds": seconds,
                "bytes_per_second": rate,
                "bare_aead_bytes_per_second": bare_rate,
                "bare_aead_share": share,
                "lost": totals.lost(),
                "duplicated": totals.duplicated,
            }),
        );
    }

    pub(crate) fn survived(&mut self, totals: &Totals, lost_by_network: u64) {
        self.bar = None;
        self.stage(&format!(
            "{} of {} packets arrived, {} duplicated; the network lost {lost_by_network} datagrams",
            totals.carried, totals.sent, totals.duplicated,
        ));
        self.results.insert(
            "loss".to_owned(),
            json!({
                "sent": totals.sent,
                "arrived": totals.carried,
                "duplicated": totals.duplicated,
                "lost_by_network": lost_by_network,
            }),
        );
    }

    pub(crate) fn refusal(&mut self, name: &str, text: &str) {
        self.stage("refused; this is what the user sees:");
        for line in text.lines() {
            self.say(&format!("             | {line}"));
        }
        self.results.insert(name.to_owned(), json!(text));
    }

    /// The last words.
    pub(crate) fn finish(mut self, outcome: Result<(), String>) -> ExitCode {
        self.results.insert("seconds".to_owned(), json!(self.start.elapsed().as_secs_f64()));
        let ok = outcome.is_ok();
        if self.json {
            self.results.insert("stages".to_owned(), Value::Array(self.stages));
            self.results.insert("ok".to_owned(), json!(ok));
            if let Err(error) = &outcome {
                self.results.insert("error".to_owned(), json!(error));
            }
            println!("{}", Value::Object(self.results));
        } else {
            match outcome {
                Ok(()) => println!("\ndemo: ok"),
                Err(error) => println!("\ndemo: failed: {error}"),
            }
        }
        if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            _ if self.json => {}
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }
}
