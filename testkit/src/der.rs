//! Writes DER, enough for the test PKI and for tests that need a structure of their own.

/// `NULL`.
pub const NULL: [u8; 2] = [5, 0];
/// `BOOLEAN` TRUE.
pub const TRUE: [u8; 3] = [1, 1, 0xff];

/// One element.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let mut out = vec![tag];
    match len {
        0..=0x7f => out.push(len as u8),
        _ => {
            let bytes = len.to_be_bytes();
            let bytes = &bytes[len.leading_zeros() as usize / 8..];
            out.push(0x80 | bytes.len() as u8);
            out.extend_from_slice(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}

/// `SEQUENCE` of these parts, each an element already (or nothing).
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// `SET` of one element.
pub fn set(element: &[u8]) -> Vec<u8> {
    tlv(0x31, element)
}

/// `[n]` of a primitive type, implicit.
pub fn context(n: u8, content: &[u8]) -> Vec<u8> {
    tlv(0x80 | n, content)
}

/// `[n]` explicit, or implicit of a constructed type.
pub fn explicit(n: u8, content: &[u8]) -> Vec<u8> {
    tlv(0xa0 | n, content)
}

/// `INTEGER` of these content bytes.
pub fn integer(content: &[u8]) -> Vec<u8> {
    tlv(2, content)
}

/// `INTEGER` of this value.
pub fn number(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let start = (value.leading_zeros() as usize / 8).min(7);
    let mut content = bytes[start..].to_vec();
    if content[0] & 0x80 != 0 {
        content.insert(0, 0);
    }
    integer(&content)
}

/// `OCTET STRING`.
pub fn octet_string(content: &[u8]) -> Vec<u8> {
    tlv(4, content)
}

/// `BIT STRING` of whole bytes.
pub fn bit_string(content: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], content].concat())
}

/// `BIT STRING` of named bits, bit 0 the most significant.
pub fn named_bits(bits: u16) -> Vec<u8> {
    let [first, second] = bits.to_be_bytes();
    match (first, second) {
        (0, 0) => tlv(3, &[0]),
        (_, 0) => tlv(3, &[first.trailing_zeros() as u8, first]),
        _ => tlv(3, &[second.trailing_zeros() as u8, first, second]),
    }
}

/// `OBJECT IDENTIFIER` from its dotted form. Panics on anything else: it is for constants in tests.
pub fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> =
        dotted.split('.').map(|arc| arc.parse().expect("an arc is a number")).collect();
    let [first, second, rest @ ..] = &arcs[..] else { panic!("an OID has two arcs at least") };
    let mut content = Vec::new();
    for arc in [first * 40 + second].iter().chain(rest) {
        let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group > 0 { 0x80 } else { 0 };
            content.push((arc >> (7 * group)) as u8 & 0x7f | more);
        }
    }
    tlv(6, &content)
}

/// `UTCTime` before 2050, `GeneralizedTime` from then on, of seconds since 1970.
pub fn time(secs: u64) -> Vec<u8> {
    match calendar(secs) {
        (year @ ..2050, rest) => tlv(0x17, format!("{:02}{rest}", year % 100).as_bytes()),
        _ => generalized_time(secs),
    }
}

/// `GeneralizedTime` of seconds since 1970.
pub fn generalized_time(secs: u64) -> Vec<u8> {
    let (year, rest) = calendar(secs);
    tlv(0x18, format!("{year:04}{rest}").as_bytes())
}

/// The year, and the rest of the date as `MMDDHHMMSSZ`.
fn calendar(secs: u64) -> (u64, String) {
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let (mut year, mut day) = (1970, days);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let length = |year| if is_leap(year) { 366 } else { 365 };
    while day >= length(year) {
        day -= length(year);
        year += 1;
    }
    let february = length(year) - 337;
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let tail = format!("{month:02}{:02}{hour:02}{minute:02}{second:02}Z", day + 1);
    (year, tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_identifiers_are_those_of_x690() {
        assert_eq!(tlv(4, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(tlv(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(oid("1.2.840.113549"), [6, 6, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]);
        assert_eq!(oid("2.5.29.32.0"), [6, 4, 0x55, 0x1d, 0x20, 0]);
        assert_eq!(number(128), [2, 2, 0, 128]);
        assert_eq!(number(0), [2, 1, 0]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(time(951_827_696), tlv(0x17, b"000229123456Z"));
        assert_eq!(time(2_335_219_200), tlv(0x17, b"440101000000Z"));
        assert_eq!(time(4_102_444_799), tlv(0x18, b"20991231235959Z"));
    }
}
