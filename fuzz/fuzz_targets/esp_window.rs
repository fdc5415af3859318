//! The replay window beside a set that remembers every number.
#![no_main]

use std::collections::BTreeSet;

use adit_esp::replay::{Window, WindowSize};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    size: u32,
    start: u64,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Forward(u16),
    FarForward(u64),
    Back(u16),
}

fuzz_target!(|input: Input| {
    let size = WindowSize::at_least(input.size % 70_000);
    let mut window = Window::resuming_after(size, input.start);
    let mut seen = BTreeSet::new();
    let mut top = input.start;
    for step in input.steps {
        let sequence = match step {
            Step::Forward(by) => top.saturating_add(by.into()),
            Step::FarForward(by) => top.saturating_add(by),
            Step::Back(by) => top.saturating_sub(by.into()),
        };
        let fresh = sequence > top
            || (sequence > input.start
                && top - sequence < u64::from(size.packets())
                && !seen.contains(&sequence));
        assert_eq!(window.check(sequence).is_ok(), fresh, "{sequence} after {top}");
        // Of a number near the top, the low half is enough.
        if top.abs_diff(sequence) < 1 << 31
            && (sequence > top || top - sequence < u64::from(size.packets()))
        {
            assert_eq!(window.extend(sequence as u32), Some(sequence));
        }
        window.commit(sequence);
        seen.insert(sequence);
        top = top.max(sequence);
        assert_eq!(window.top(), top);
        assert!(window.check(sequence).is_err());
    }
});
