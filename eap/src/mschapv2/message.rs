//! The messages of EAP-MSCHAPv2, draft-kamath-pppext-eap-mschapv2-02 section 2.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::error::{Error, Malformed};
use crate::peer::printable;

const CHALLENGE: u8 = 1;
const RESPONSE: u8 = 2;
const SUCCESS: u8 = 3;
const FAILURE: u8 = 4;

/// OpCode, MS-CHAPv2-ID, MS-Length.
const HEADER_LEN: usize = 4;

/// Challenges are of this size, RFC 2759 section 3.
const CHALLENGE_LEN: u8 = 16;

/// Peer-Challenge, eight octets reserved, NT-Response, Flags: RFC 2759 section 4.
const RESPONSE_LEN: u8 = 49;

/// What an authenticator sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FromAuthenticator<'a> {
    Challenge { id: u8, challenge: [u8; 16] },
    Success { text: &'a [u8] },
    Failure { id: u8, text: &'a [u8] },
}

/// What a peer sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FromPeer<'a> {
    Response { peer_challenge: [u8; 16], nt_response: [u8; 24], name: &'a [u8] },
    Success,
    Failure,
}

impl<'a> FromAuthenticator<'a> {
    /// Reads Type-Data. Offsets in errors count from its start.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, Error> {
        let (op_code, id, body) = split_header(data, &[CHALLENGE, SUCCESS, FAILURE])?;
        match op_code {
            CHALLENGE => {
                let (challenge, _name) = split_value(body)?;
                Ok(Self::Challenge { id, challenge: *challenge })
            }
            SUCCESS => Ok(Self::Success { text: body }),
            _ => Ok(Self::Failure { id, text: body }),
        }
    }
}

impl<'a> FromPeer<'a> {
    /// Reads Type-Data. Offsets in errors count from its start.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, Error> {
        match data {
            // Success and Failure are the OpCode alone; octets behind it mean nothing.
            [SUCCESS, ..] => return Ok(Self::Success),
            [FAILURE, ..] => return Ok(Self::Failure),
            _ => {}
        }
        let (_, _, body) = split_header(data, &[RESPONSE])?;
        let (value, name) = split_value::<{ RESPONSE_LEN as usize }>(body)?;
        // The reserved octets and Flags must be zero, but nothing depends on it.
        let mut peer_challenge = [0; 16];
        let mut nt_response = [0; 24];
        peer_challenge.copy_from_slice(&value[..16]);
        nt_response.copy_from_slice(&value[24..48]);
        Ok(Self::Response { peer_challenge, nt_response, name })
    }
}

/// Splits OpCode, MS-CHAPv2-ID and what follows the header; MS-Length counts everything.
fn split_header<'a>(data: &'a [u8], known: &[u8]) -> Result<(u8, u8, &'a [u8]), Error> {
    match data {
        [op_code, ..] if !known.contains(op_code) => Err(Error::malformed(Malformed::OpCode, 0)),
        [op_code, id, high, low, body @ ..] => {
            if usize::from(u16::from_be_bytes([*high, *low])) != data.len() {
                return Err(Error::malformed(Malformed::MsLength, 2));
            }
            Ok((*op_code, *id, body))
        }
        _ => Err(Error::malformed(Malformed::Truncated, data.len())),
    }
}

/// Splits Value-Size, Value and Name.
fn split_value<const N: usize>(body: &[u8]) -> Result<(&[u8; N], &[u8]), Error> {
    match body.split_first() {
        None => Err(Error::malformed(Malformed::Truncated, HEADER_LEN)),
        Some((size, _)) if usize::from(*size) != N => {
            Err(Error::malformed(Malformed::ValueSize, HEADER_LEN))
        }
        Some((_, rest)) => rest
            .split_first_chunk()
            .ok_or(Error::malformed(Malformed::Truncated, HEADER_LEN + body.len())),
    }
}

/// Challenge: sections 2.1.
pub(super) fn challenge(id: u8, challenge: &[u8; 16], name: &[u8]) -> Vec<u8> {
    with_header(CHALLENGE, id, &[&[CHALLENGE_LEN], challenge, name])
}

/// Response: section 2.2.
pub(super) fn response(
    id: u8,
    peer_challenge: &[u8; 16],
    nt_response: &[u8; 24],
    name: &[u8],
) -> Vec<u8> {
    with_header(RESPONSE, id, &[&[RESPONSE_LEN], peer_challenge, &[0; 8], nt_response, &[0], name])
}

/// Success-Request: section 2.3.
pub(super) fn success(id: u8, authenticator_response: &[u8; 20]) -> Vec<u8> {
    with_header(SUCCESS, id, &[b"S=", hex(authenticator_response).as_bytes(), b" M=OK"])
}

/// Failure-Request: section 2.5.
pub(super) fn failure(id: u8, retry: bool, challenge: &[u8; 16]) -> Vec<u8> {
    let (retry, challenge) = (u8::from(retry), hex(challenge));
    let text = format!("E=691 R={retry} C={challenge} V=3 M=Authentication failed");
    with_header(FAILURE, id, &[text.as_bytes()])
}

/// Success-Response: section 2.4.
pub(super) fn success_response() -> Vec<u8> {
    [SUCCESS].into()
}

/// Failure-Response: section 2.6.
pub(super) fn failure_response() -> Vec<u8> {
    [FAILURE].into()
}

fn with_header(op_code: u8, id: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    // Names are at most 256 octets and texts are ours: this cannot saturate.
    let length = u16::try_from(HEADER_LEN + body.len()).unwrap_or(u16::MAX);
    let mut out = Vec::with_capacity(HEADER_LEN + body.len());
    out.extend_from_slice(&[op_code, id]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&body);
    out
}

/// The text of a Failure, `E=691 R=1 C=<32 hex> V=3 M=<text>`: RFC 2759 section 6.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct FailureText {
    pub(super) code: u32,
    pub(super) retry: bool,
    /// The challenge for another try; absent or malformed is the same: no other try.
    pub(super) challenge: Option<[u8; 16]>,
    pub(super) message: String,
}

impl FailureText {
    /// Reads the fields in any order up to `M=`, which takes the rest. `E=` has to be there.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut parsed = Self { code: 0, retry: false, challenge: None, message: String::new() };
        let mut code = None;
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(message) = rest.strip_prefix(b"M=") {
                parsed.message = printable(message);
                break;
            }
            let end = rest.iter().position(|octet| *octet == b' ').unwrap_or(rest.len());
            let (field, tail) = rest.split_at(end);
            rest = tail.strip_prefix(b" ").unwrap_or(tail);
            match field {
                [b'E', b'=', digits @ ..] => code = Some(decimal(digits)?),
                [b'R', b'=', digit] => parsed.retry = *digit == b'1',
                [b'C', b'=', digits @ ..] => parsed.challenge = from_hex(digits),
                _ => {}
            }
        }
        parsed.code = code?;
        Some(parsed)
    }
}

/// The authenticator response in the text of a Success, `S=<40 hex> M=<text>`: RFC 2759 section 5.
pub(super) fn parse_success(text: &[u8]) -> Option<[u8; 20]> {
    let (digits, rest) = text.strip_prefix(b"S=")?.split_at_checked(40)?;
    matches!(rest.first(), None | Some(b' ' | 0)).then_some(())?;
    from_hex(digits)
}

/// "0 to 10 ASCII digits", RFC 2759 section 6.
fn decimal(digits: &[u8]) -> Option<u32> {
    (1..=10).contains(&digits.len()).then_some(())?;
    digits.iter().try_fold(0u32, |value, octet| {
        let digit = char::from(*octet).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

fn from_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let mut out = [0; N];
    (pairs.len() == N).then_some(())?;
    for (to, [high, low]) in out.iter_mut().zip(pairs) {
        let nibble = |octet: &u8| char::from(*octet).to_digit(16);
        *to = (nibble(high)? << 4 | nibble(low)?) as u8;
    }
    Some(out)
}

/// Upper case, as RFC 2759 section 8.7 has it.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, octet| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{octet:02X}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_text_fields() {
        let text = b"E=691 R=1 C=0123456789abcdef0123456789ABCDEF V=3 M=Try again, C=no";
        let parsed = FailureText::parse(text).unwrap();
        assert_eq!((parsed.code, parsed.retry), (691, true));
        assert_eq!(parsed.challenge.unwrap()[..2], [0x01, 0x23]);
        assert_eq!(parsed.message, "Try again, C=no");
    }

    #[test]
    fn failure_text_is_not_trusted() {
        assert_eq!(FailureText::parse(b""), None);
        assert_eq!(FailureText::parse(b"E=abc R=1"), None);
        assert_eq!(FailureText::parse(b"E= R=1"), None);
        assert_eq!(FailureText::parse(b"E=99999999999999999999 R=1"), None);
        assert_eq!(FailureText::parse(b"E=4294967296"), None);
        // A challenge of the wrong length is none; one inside of M= is text.
        let short = FailureText::parse(b"E=691 R=1 C=0123 V=3").unwrap();
        assert_eq!(short.challenge, None);
        let inside = FailureText::parse(b"E=691 R=0 M=x C=00").unwrap();
        assert_eq!((inside.challenge, inside.message.as_str()), (None, "x C=00"));
        assert_eq!(FailureText::parse(b"E=1 M=\x1b[31mred\x07").unwrap().message, "[31mred");
    }

    #[test]
    fn success_text_needs_forty_digits() {
        let digits = [b'0'; 41];
        let text = |n: usize, tail: &[u8]| [b"S=", &digits[..n], tail].concat();
        assert_eq!(parse_success(&text(40, b"")), Some([0; 20]));
        assert_eq!(parse_success(&text(40, b" M=ok")), Some([0; 20]));
        assert_eq!(parse_success(&text(39, b"")), None);
        assert_eq!(parse_success(&text(39, b" M=ok")), None);
        assert_eq!(parse_success(&text(41, b"")), None);
        assert_eq!(parse_success(b"M=ok"), None);
    }
}
