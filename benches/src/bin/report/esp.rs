//! `esp/…`: the packet path.

use std::cell::RefCell;

use adit_benches::{Case, Pair, Report};
use adit_esp::replay::{Window, WindowSize};

/// All rows of this area.
pub(crate) fn rows(report: &mut Report) {
    replay(report);
}

/// What the replay window costs per packet, checked and committed, when packets get lost.
fn replay(report: &mut Report) {
    for (name, step) in [("in-order", 1), ("gap-700", 700)] {
        report.compare(&format!("esp/replay/{name}"), "ns", || {
            let state = RefCell::new((Window::new(WindowSize::default()), 0_u64));
            let run = move || {
                let (window, next) = &mut *state.borrow_mut();
                let mut fresh = 0;
                for _ in 0..256 {
                    *next += step;
                    if window.check(*next).is_ok() {
                        window.commit(*next);
                        fresh += 1;
                    }
                }
                assert_eq!(fresh, 256);
                fresh
            };
            Pair { ours: Case::new(256, run), baseline: None }
        });
    }
}
