//! The Internet checksum: RFC 1071, and its updates, RFC 1624.

/// The checksum over the concatenation of `parts`, each but the last of even length: RFC 1071.
pub(crate) fn internet_checksum(parts: &[&[u8]]) -> u16 {
    !fold(parts.iter().map(|part| sum(part)).sum())
}

/// The checksum that `checksum` becomes when `old`, which it covers, becomes `new`; both of even length.
pub(crate) fn updated(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    //= RFC 1624 section 3: HC' = ~(~HC + ~m + m'). The complement of a sum is the sum of complements.
    !fold(u64::from(!checksum) + u64::from(!fold(sum(old))) + sum(new))
}

/// Adds up words of 16 bits, as if a last odd byte were followed by a zero. Of an IP packet this never
/// comes near to overflowing.
fn sum(bytes: &[u8]) -> u64 {
    let (words, odd) = bytes.as_chunks::<2>();
    let sum: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    sum + odd.first().map_or(0, |byte| u64::from(*byte) << 8)
}

/// One's complement addition of the carries.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    //= RFC 1624 section 4, the example of equation 3.
    #[test]
    fn an_update_gives_what_computing_anew_gives() {
        assert_eq!(updated(0xdd2f, &[0x55, 0x55], &[0x32, 0x85]), 0x0000);
    }

    #[test]
    fn an_odd_byte_stands_in_the_high_half() {
        assert_eq!(internet_checksum(&[&[0x12, 0x34], &[0x56]]), !0x6834);
    }
}
