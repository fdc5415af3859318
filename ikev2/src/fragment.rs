//! Messages in parts: RFC 7383.

use alloc::vec::Vec;

use adit_platform::Rng;

use crate::keys::{Plaintext, Protector, SealError};
use crate::wire::{DecodeError, DecodeErrorKind, EncodeError, Fragment, Header, PayloadType};

/// The longest message that is put together, in bytes.
///
/// An IKE message that is not fragmented ends at 65,535 bytes, because the Payload Length of its Encrypted
/// payload does (RFC 7296 section 3.2); fragments do not need to carry more.
pub(crate) const MAX_MESSAGE_LEN: usize = 65_535;

/// The largest Total Fragments that is accepted: a message of [`MAX_MESSAGE_LEN`] in datagrams of the
/// smallest size that IPv4 guarantees (RFC 791: 576 bytes, of which 400 and more are content).
pub(crate) const MAX_FRAGMENTS: u16 = 160;

/// Seals a message: whole if the datagram stays within `limit` bytes or there is none, else in fragments.
///
/// # Errors
/// If the content does not fit into [`MAX_FRAGMENTS`] datagrams, or sealing fails.
pub(crate) fn seal(
    protector: &mut Protector,
    rng: &mut dyn Rng,
    header: &Header,
    first_payload: PayloadType,
    content: &[u8],
    limit: Option<usize>,
) -> Result<Vec<Vec<u8>>, SealError> {
    let limit = limit.filter(|limit| protector.sealed_len(content.len(), false) > *limit);
    let Some(limit) = limit else {
        let whole = Plaintext { first_payload, fragment: None, content };
        return Ok(alloc::vec![protector.seal(rng, header, &whole)?]);
    };
    let too_long = SealError::TooLong(EncodeError { what: "message" });
    let room = protector.fragment_room(limit);
    if room == 0 || content.len() > MAX_MESSAGE_LEN {
        return Err(too_long);
    }
    let total = u16::try_from(content.len().div_ceil(room)).map_err(|_| too_long)?;
    if total > MAX_FRAGMENTS {
        return Err(too_long);
    }
    let chunks = content.chunks(room).zip(1..=total);
    let datagrams = chunks.map(|(content, number)| {
        //= RFC 7383 section 2.5: Next Payload is that of the first inner payload in the first fragment and
        //= zero in the others.
        let first_payload = if number == 1 { first_payload } else { PayloadType::NONE };
        let fragment = Some(Fragment { number, total });
        protector.seal(rng, header, &Plaintext { first_payload, fragment, content })
    });
    datagrams.collect()
}

/// One authentic fragment: decrypted, its integrity checked.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    /// Of the message that it is a part of.
    pub(crate) message_id: u32,
    /// Which part.
    pub(crate) fragment: Fragment,
    /// Its Next Payload, which counts in the first fragment only.
    pub(crate) first_payload: PayloadType,
    /// The decrypted content without padding.
    pub(crate) content: &'a [u8],
}

/// Collects the fragments of one message at a time in one direction.
///
/// Only authentic fragments get here, and only those of the message that is due, so what it holds is
/// bounded by [`MAX_MESSAGE_LEN`] for a peer that has the keys, and nothing for anyone else.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    current: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    message_id: u32,
    total: u16,
    first_payload: PayloadType,
    /// By fragment number, from 1.
    parts: Vec<Option<Vec<u8>>>,
    missing: usize,
    len: usize,
}

impl Reassembly {
    /// Adds a fragment; returns the first payload's type and the content when the message is complete.
    /// Duplicates and fragments of an older partition are ignored.
    ///
    /// # Errors
    /// If the message would exceed [`MAX_FRAGMENTS`] or [`MAX_MESSAGE_LEN`]; what was collected is kept.
    pub(crate) fn insert(
        &mut self,
        piece: Piece<'_>,
    ) -> Result<Option<(PayloadType, Vec<u8>)>, DecodeError> {
        let Fragment { number, total } = piece.fragment;
        let error = |kind, what| DecodeError { kind, what, offset: crate::wire::HEADER_LEN };
        if number == 0 || number > total {
            return Err(error(DecodeErrorKind::BadValue, "fragment number"));
        }
        if total > MAX_FRAGMENTS {
            return Err(error(DecodeErrorKind::TooMany, "fragments"));
        }
        let restart = match &self.current {
            None => true,
            Some(partial) if partial.message_id != piece.message_id => true,
            //= RFC 7383 section 2.6: if the Total Fragments field of the new fragment is greater, the
            //= receiver MUST discard all received fragments and start over; if smaller, discard the new.
            Some(partial) if total < partial.total => return Ok(None),
            Some(partial) => total > partial.total,
        };
        if restart {
            self.current = Some(Partial::new(piece.message_id, total));
        }
        let Some(partial) = &mut self.current else { return Ok(None) };
        partial.add(number, piece.first_payload, piece.content)?;
        if partial.missing > 0 {
            return Ok(None);
        }
        Ok(self.current.take().map(Partial::join))
    }
}

impl Partial {
    fn new(message_id: u32, total: u16) -> Self {
        let missing = usize::from(total);
        let mut parts = Vec::new();
        parts.resize_with(missing, || None);
        Self { message_id, total, first_payload: PayloadType::NONE, parts, missing, len: 0 }
    }

    fn add(
        &mut self,
        number: u16,
        first_payload: PayloadType,
        content: &[u8],
    ) -> Result<(), DecodeError> {
        let Some(part) = self.parts.get_mut(usize::from(number).wrapping_sub(1)) else {
            return Ok(());
        };
        if part.is_some() {
            return Ok(());
        }
        if self.len + content.len() > MAX_MESSAGE_LEN {
            return Err(DecodeError {
                kind: DecodeErrorKind::TooMany,
                what: "bytes in fragments",
                offset: crate::wire::HEADER_LEN,
            });
        }
        *part = Some(content.into());
        self.len += content.len();
        self.missing -= 1;
        if number == 1 {
            self.first_payload = first_payload;
        }
        Ok(())
    }

    fn join(self) -> (PayloadType, Vec<u8>) {
        let mut content = Vec::with_capacity(self.len);
        for part in self.parts.iter().flatten() {
            content.extend_from_slice(part);
        }
        (self.first_payload, content)
    }
}

#[cfg(test)]
mod tests {
    use adit_platform::aead::AeadAlgorithm;
    use adit_platform::cipher::CipherAlgorithm;
    use adit_platform::mac::MacAlgorithm;
    use adit_platform::prf::PrfAlgorithm;
    use adit_platform::rng::RngError;
    use adit_platform::{Provider, Secret, Suite};

    use super::*;
    use crate::keys::{IkeKeys, Nonces};
    use crate::wire::{ExchangeType, Flags, IkeSpi, Message};

    struct Zero;

    impl Rng for Zero {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
            out.fill(0);
            Ok(())
        }
    }

    const SUITES: [Suite; 2] = [
        Suite::Aead(AeadAlgorithm::Aes128Gcm16),
        Suite::CipherMac(CipherAlgorithm::Aes256Cbc, MacAlgorithm::HmacSha2_512_256),
    ];

    fn ends(provider: &Provider, suite: Suite) -> (Protector, Protector) {
        let nonces = Nonces { initiator: &[1; 32], responder: &[2; 32] };
        let spis = (IkeSpi([1; 8]), IkeSpi([2; 8]));
        let shared = Secret::copy_from(&[3; 32]);
        let prf = PrfAlgorithm::HmacSha2_256;
        let keys = IkeKeys::initial(provider, prf, suite, &shared, nonces, spis).unwrap();
        let end = |initiator| Protector::new(provider, &keys, initiator).unwrap();
        (end(true), end(false))
    }

    fn header() -> Header {
        let flags = Flags::REQUEST_BY_INITIATOR;
        Header::new(IkeSpi([1; 8]), IkeSpi([2; 8]), ExchangeType::IKE_AUTH, flags, 1)
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn messages_of_every_length_are_cut_to_the_limit_and_put_together() {
        for provider in [adit_platform::ring::PROVIDER, adit_platform::rustcrypto::PROVIDER] {
            for suite in SUITES {
                let (mut ours, peers) = ends(&provider, suite);
                for len in (0..2000).step_by(7).chain([1100, 1101, 65_535]) {
                    let limit = 1232;
                    let sent = content(len);
                    let first = PayloadType::IDI;
                    let datagrams =
                        seal(&mut ours, &mut Zero, &header(), first, &sent, Some(limit)).unwrap();
                    assert!(datagrams.iter().all(|datagram| datagram.len() <= limit));
                    let whole = ours.sealed_len(len, false) <= limit;
                    assert_eq!(datagrams.len() == 1, whole);
                    let mut reassembly = Reassembly::default();
                    let mut received = None;
                    let total = datagrams.len();
                    // The last comes first.
                    for (index, mut datagram) in datagrams.into_iter().enumerate().rev() {
                        let encrypted = Message::parse(&datagram).unwrap().encrypted.unwrap();
                        let range = peers.open(&mut datagram, &encrypted).unwrap();
                        let content = &datagram[range];
                        let Some(fragment) = encrypted.fragment else {
                            received = Some((encrypted.first_payload, content.to_vec()));
                            continue;
                        };
                        assert_eq!(usize::from(fragment.number), index + 1);
                        assert_eq!(usize::from(fragment.total), total);
                        let first_payload = encrypted.first_payload;
                        let piece = Piece { message_id: 1, fragment, first_payload, content };
                        received = reassembly.insert(piece).unwrap();
                        assert_eq!(received.is_some(), index == 0);
                    }
                    assert_eq!(received, Some((first, sent)));
                    assert!(reassembly.current.is_none());
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let (mut ours, _) = ends(&adit_platform::ring::PROVIDER, SUITES[0]);
        let mut seal = |len, limit| {
            seal(&mut ours, &mut Zero, &header(), PayloadType::IDI, &content(len), limit)
        };
        assert!(matches!(seal(70_000, None), Err(SealError::TooLong(_))));
        assert!(matches!(seal(70_000, Some(1232)), Err(SealError::TooLong(_))));
        assert!(matches!(seal(1000, Some(50)), Err(SealError::TooLong(_))));
        assert!(matches!(seal(60_000, Some(100)), Err(SealError::TooLong(_))));
    }

    fn piece(number: u16, total: u16, content: &[u8]) -> Piece<'_> {
        let fragment = Fragment { number, total };
        Piece { message_id: 7, fragment, first_payload: PayloadType(number as u8), content }
    }

    #[test]
    fn duplicates_and_older_partitions_are_ignored_and_newer_ones_start_over() {
        let mut reassembly = Reassembly::default();
        let mut insert = |piece| reassembly.insert(piece).unwrap();
        assert_eq!(insert(piece(1, 2, b"a")), None);
        // A replay with another content does not replace what is there.
        assert_eq!(insert(piece(1, 2, b"x")), None);
        //= RFC 7383 section 2.6: a greater Total Fragments discards all received fragments.
        assert_eq!(insert(piece(3, 3, b"c")), None);
        assert_eq!(insert(piece(2, 2, b"b")), None);
        assert_eq!(insert(piece(2, 3, b"b")), None);
        let done = insert(piece(1, 3, b"a")).unwrap();
        assert_eq!(done, (PayloadType(1), b"abc".to_vec()));
        // Another message begins anew.
        assert_eq!(insert(piece(1, 2, b"a")), None);
        assert_eq!(insert(Piece { message_id: 8, ..piece(2, 2, b"b") }), None);
        assert_eq!(
            insert(Piece { message_id: 8, ..piece(1, 2, b"a") }),
            Some((PayloadType(1), b"ab".to_vec()))
        );
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut reassembly = Reassembly::default();
        let too_many = reassembly.insert(piece(1, MAX_FRAGMENTS + 1, b"a"));
        assert_eq!(too_many.unwrap_err().kind, DecodeErrorKind::TooMany);
        let big = alloc::vec![0; 40_000];
        assert_eq!(reassembly.insert(piece(1, 3, &big)), Ok(None));
        let too_long = reassembly.insert(piece(2, 3, &big));
        assert_eq!(too_long.unwrap_err().kind, DecodeErrorKind::TooMany);
        for (number, total) in [(0, 1), (2, 1), (0, 0)] {
            let error = reassembly.insert(piece(number, total, b"a")).unwrap_err();
            assert_eq!(error.kind, DecodeErrorKind::BadValue);
        }
    }
}
