//! The preparation of strings for comparison (RFC 4518), which RFC 5280 section 7.1 prescribes for names.

use alloc::string::String;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// RFC 4518 sections 2.2 to 2.4: maps, folds case and normalizes (NFKC). `None` if the result holds what is
/// prohibited: such a string equals only itself.
pub(crate) fn normalize(text: &str) -> Option<String> {
    let mapped = text.chars().filter(|&c| !maps_to_nothing(c)).nfkc();
    let normal: String = mapped.flat_map(fold).nfkc().filter(|&c| !maps_to_nothing(c)).collect();
    let starts_well = !normal.chars().next().is_some_and(is_combining_mark);
    (starts_well && !normal.chars().any(is_prohibited)).then_some(normal)
}

/// All of the preparation for what is ASCII.
pub(crate) fn ascii(text: &[u8]) -> impl Iterator<Item = char> {
    let mapped = text.iter().map(|&byte| char::from(byte)).filter(|&c| !maps_to_nothing(c));
    spaced(mapped.map(|c| c.to_ascii_lowercase()))
}

/// Maps white space to spaces, and drops all but one of adjoining spaces and those at either end (RFC 4518
/// sections 2.2 and 2.6.1). A space that bears a combining mark is none.
pub(crate) fn spaced(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut text = text.peekable();
    let mut any = false;
    let mut held = None;
    core::iter::from_fn(move || {
        if let Some(c) = held.take() {
            return Some(c);
        }
        let mut space = false;
        loop {
            let c = text.next()?;
            if c.is_whitespace() && !text.peek().copied().is_some_and(is_combining_mark) {
                space = any;
                continue;
            }
            any = true;
            if !space {
                return Some(c);
            }
            held = Some(c);
            return Some(' ');
        }
    })
}

/// Full case folding (RFC 3454 table B.2): what differs in case only comes out the same, `ß` and `SS` too. The
/// dotless i is no case of the dotted one.
fn fold(c: char) -> impl Iterator<Item = char> {
    let keep = c == '\u{131}';
    let folded = c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    keep.then_some(c).into_iter().chain(folded.filter(move |_| !keep))
}

/// RFC 4518 section 2.2: characters that are mapped to nothing.
fn maps_to_nothing(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && !c.is_whitespace();
    }
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{1806}' | '\u{180b}'..='\u{180d}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{fffc}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2063}'
        | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{70f}' | '\u{6dd}'
        | '\u{180e}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
        || (c.is_control() && !c.is_whitespace())
}

/// RFC 4518 section 2.4: private use, what is no character, and the replacement for what could not be read.
fn is_prohibited(c: char) -> bool {
    matches!(c,
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffd}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(text: &str) -> String {
        spaced(normalize(text).expect("nothing prohibited").chars()).collect()
    }

    #[test]
    fn ascii_is_prepared_as_the_rest_is() {
        for text in ["", " ", "Foo\tBAR  baz ", "\u{1}a\u{7f}b", " \r\n x", "a\u{8} \u{8} b"] {
            assert_eq!(ascii(text.as_bytes()).collect::<String>(), prepared(text), "{text:?}");
        }
    }

    //= RFC 4518 section 2.2
    #[test]
    fn what_is_mapped_to_nothing_does_not_count() {
        for c in "\u{ad}\u{1806}\u{34f}\u{180b}\u{180d}\u{fe00}\u{fe0f}\u{fffc}".chars() {
            assert_eq!(prepared(&alloc::format!("a{c}b")), "ab", "{c:?}");
        }
        // Controls and those related to them.
        for c in "\0\u{8}\u{e}\u{1f}\u{7f}\u{84}\u{86}\u{9f}\u{6dd}\u{70f}\u{180e}\u{200c}\u{200f}"
            .chars()
        {
            assert_eq!(prepared(&alloc::format!("a{c}b")), "ab", "{c:?}");
        }
        for c in "\u{202a}\u{202e}\u{2060}\u{2063}\u{206a}\u{206f}\u{feff}\u{fff9}\u{fffb}".chars()
        {
            assert_eq!(prepared(&alloc::format!("a{c}b")), "ab", "{c:?}");
        }
        for c in "\u{1d173}\u{1d17a}\u{e0001}\u{e0020}\u{e007f}\u{200b}".chars() {
            assert_eq!(prepared(&alloc::format!("a{c}b")), "ab", "{c:?}");
        }
    }

    //= RFC 4518 section 2.2
    #[test]
    fn white_space_is_mapped_to_space() {
        for c in "\t\n\u{b}\u{c}\r\u{85}\u{a0}\u{1680}\u{2000}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}".chars() {
            assert_eq!(prepared(&alloc::format!("a{c}b")), "a b", "{c:?}");
        }
    }

    //= RFC 4518 section 2.2
    #[test]
    fn case_is_folded_as_stringprep_does() {
        for (one, other) in [
            ("STRASSE", "straße"),
            ("STRASSE", "STRAẞE"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ÅNGSTRÖM", "a\u{30a}ngstro\u{308}m"),
            ("ŉ", "ʼN"),
            ("ﬀ", "FF"),
            ("İ", "i\u{307}"),
            ("ſ", "S"),
        ] {
            assert_eq!(prepared(one), prepared(other));
        }
        for (one, other) in [("ı", "i"), ("o", "ö"), ("ß", "s"), ("е", "e")] {
            assert_ne!(prepared(one), prepared(other));
        }
    }

    //= RFC 4518 section 2.3
    #[test]
    fn compatible_characters_are_the_same() {
        for (one, other) in
            [("\u{2460}", "1"), ("Ａｄｉｔ", "adit"), ("\u{2102}", "c"), ("㎏", "KG")]
        {
            assert_eq!(prepared(one), prepared(other));
        }
    }

    //= RFC 4518 section 2.6.1
    #[test]
    fn spaces_are_insignificant_at_the_ends_and_in_runs() {
        for (one, other) in [
            ("foo bar", "foo   bar"),
            ("foo bar", "  foo bar  "),
            ("foo bar", "foo\u{a0}\u{2003} bar\u{3000}"),
            ("", "   "),
        ] {
            assert_eq!(prepared(one), prepared(other));
        }
        assert_ne!(prepared("foo bar"), prepared("foobar"));
        // A space under a combining mark is a character.
        assert_ne!(prepared("a \u{308}b"), prepared("a\u{308}b"));
        assert_eq!(prepared("a  \u{308}"), "a  \u{308}");
    }
}
