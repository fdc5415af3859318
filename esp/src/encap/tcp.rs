//! ESP and IKE in a TCP stream, where UDP is blocked: RFC 9329.
//!
//! ```text
//! | "IKETCP", once, from the originator | length | message | length | message | …
//!   6                                     2        1..=65,533
//! ```
//!
//! A message is what a UDP datagram of port 4500 would hold: an ESP packet, or an IKE message behind the
//! non-ESP marker. The same bytes travel in anything that presents a stream, TLS included.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::{NON_ESP_MARKER, PayloadMut};
use crate::error::SealError;

/// What the originator of the connection sends before everything else: RFC 9329 section 4.
pub const STREAM_PREFIX: [u8; 6] = *b"IKETCP";

/// The longest message in bytes: what the length field can say, without the field itself.
pub const MAX_MESSAGE_LEN: usize = 65_533;

/// Bytes of the length field, which counts itself.
const LENGTH_LEN: usize = 2;

/// Bytes that are read from the socket at once, at least.
const READ_LEN: usize = 4096;

/// Makes the ESP packet at `packet` in `buf` a message of the stream, by the length in front of it, and
/// says where the message lies then. Needs two bytes in front.
///
/// ```
/// use adit_esp::encap::tcp;
///
/// let mut buf = *b"..esp packet";
/// let message = tcp::frame_esp(&mut buf, 2..12).expect("there is room");
/// assert_eq!(&buf[message], b"\x00\x0cesp packet");
/// ```
///
/// # Errors
/// If there is no room in front, the packet is not in `buf`, or has more than [`MAX_MESSAGE_LEN`] bytes.
pub fn frame_esp(buf: &mut [u8], packet: Range<usize>) -> Result<Range<usize>, SealError> {
    frame(buf, packet, &[])
}

/// Like [`frame_esp`] for an IKE message, which gets the non-ESP marker too: needs six bytes in front.
///
/// # Errors
/// Like [`frame_esp`]; the marker counts towards the length.
pub fn frame_ike(buf: &mut [u8], message: Range<usize>) -> Result<Range<usize>, SealError> {
    frame(buf, message, &NON_ESP_MARKER)
}

fn frame(buf: &mut [u8], message: Range<usize>, marker: &[u8]) -> Result<Range<usize>, SealError> {
    let out_of_bounds = SealError::OutOfBounds { end: message.end, buffer: buf.len() };
    let needed = LENGTH_LEN + marker.len();
    let start = message
        .start
        .checked_sub(needed)
        .ok_or(SealError::Headroom { needed, available: message.start })?;
    let framed = buf
        .get_mut(start..message.end)
        .filter(|framed| framed.len() >= needed)
        .ok_or(out_of_bounds)?;
    let too_long = SealError::TooLong { packet: framed.len() };
    //= RFC 9329 section 3: the length counts its own field.
    let length = u16::try_from(framed.len()).map_err(|_| too_long)?;
    framed[..LENGTH_LEN].copy_from_slice(&length.to_be_bytes());
    framed[LENGTH_LEN..needed].copy_from_slice(marker);
    Ok(start..message.end)
}

/// Takes a stream apart into its messages.
///
/// Read from the socket into [`Self::spare_mut`], say how much it was with [`Self::filled`], then call
/// [`Self::next_message`] until it has no more. Memory is taken once, for the longest message that is
/// accepted; a byte is moved at most once.
///
/// A stream cannot be entered again once its bounds are lost, so that an error is for good: close the
/// connection. RFC 9329 section 3.
///
/// ```
/// use adit_esp::encap::PayloadMut;
/// use adit_esp::encap::tcp::{Decoder, MAX_MESSAGE_LEN};
///
/// let mut decoder = Decoder::responder(MAX_MESSAGE_LEN);
/// let received = b"IKETCP\x00\x09\x00\x00\x00\x00ike\x00\x03\xff\x00";
/// decoder.spare_mut()[..received.len()].copy_from_slice(received);
/// decoder.filled(received.len());
///
/// let mut ike = *b"ike";
/// assert_eq!(decoder.next_message()?, Some(PayloadMut::Ike(&mut ike)));
/// assert_eq!(decoder.next_message()?, Some(PayloadMut::Keepalive));
/// assert_eq!(decoder.next_message()?, None, "the last message is not all there yet");
/// # Ok::<(), adit_esp::encap::tcp::StreamError>(())
/// ```
pub struct Decoder {
    buf: Vec<u8>,
    /// What was received and not given out yet.
    unread: Range<usize>,
    max_message: usize,
    prefix_expected: bool,
    /// Where in the stream the unread part starts.
    offset: u64,
    failed: Option<StreamError>,
}

impl Decoder {
    /// For the end that accepted the connection: the stream prefix must come first.
    ///
    /// Messages of more than `max_message` bytes are refused, to match what UDP would carry; 1 to
    /// [`MAX_MESSAGE_LEN`], beyond which it counts as the nearer of both.
    pub fn responder(max_message: usize) -> Self {
        Self::new(max_message, true)
    }

    /// For the end that made the connection, to which the peer sends no prefix. Send
    /// [`STREAM_PREFIX`] before the first message.
    pub fn originator(max_message: usize) -> Self {
        Self::new(max_message, false)
    }

    fn new(max_message: usize, prefix_expected: bool) -> Self {
        let max_message = max_message.clamp(1, MAX_MESSAGE_LEN);
        Self {
            buf: alloc::vec![0; LENGTH_LEN + max_message + READ_LEN],
            unread: 0..0,
            max_message,
            prefix_expected,
            offset: 0,
            failed: None,
        }
    }

    /// Where the next bytes of the stream are to be read to; never empty once
    /// [`Self::next_message`] has given out all it had.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.start > 0 && self.buf.len() - self.unread.end < READ_LEN {
            // What is unread is less than one message, and stays at the front until that is whole.
            self.buf.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        &mut self.buf[self.unread.end..]
    }

    /// `count` bytes were read to the front of [`Self::spare_mut`]; more than it has count as all of it.
    pub fn filled(&mut self, count: usize) {
        self.unread.end += count.min(self.buf.len() - self.unread.end);
    }

    /// The next whole message, to be worked on in place; `None` if it is not all there yet.
    ///
    /// # Errors
    /// If the stream does not start with the prefix, or a length is one that cannot be. Every later call
    /// says the same.
    pub fn next_message(&mut self) -> Result<Option<PayloadMut<'_>>, StreamError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.take() {
            Ok(Some(message)) => Ok(Some(PayloadMut::classify(&mut self.buf[message]))),
            Ok(None) => Ok(None),
            Err(error) => {
                self.failed = Some(error);
                self.unread = 0..0;
                Err(error)
            }
        }
    }

    /// Where the next whole message lies, which counts as read then.
    fn take(&mut self) -> Result<Option<Range<usize>>, StreamError> {
        if self.prefix_expected {
            let seen = &self.buf[self.unread.clone()];
            //= RFC 9329 section 6.1: nothing is parsed before all of the prefix is there. What differs from
            // it already will not become it.
            if let Some(at) = seen.iter().zip(&STREAM_PREFIX).position(|(a, b)| a != b) {
                return Err(StreamError { offset: at as u64, problem: StreamProblem::Prefix });
            }
            if seen.len() < STREAM_PREFIX.len() {
                return Ok(None);
            }
            self.consume(STREAM_PREFIX.len());
            self.prefix_expected = false;
        }
        loop {
            let seen = &self.buf[self.unread.clone()];
            let Some(length) = seen.first_chunk::<LENGTH_LEN>() else { return Ok(None) };
            let length = u16::from_be_bytes(*length);
            let problem = match usize::from(length).checked_sub(LENGTH_LEN) {
                None => StreamProblem::Length(length),
                Some(message) if message > self.max_message => StreamProblem::TooLong(length),
                //= RFC 9329 section 3: empty messages MUST be silently ignored.
                Some(0) => {
                    self.consume(LENGTH_LEN);
                    continue;
                }
                Some(_) if seen.len() < length.into() => return Ok(None),
                Some(message) => {
                    let start = self.unread.start + LENGTH_LEN;
                    self.consume(LENGTH_LEN + message);
                    return Ok(Some(start..start + message));
                }
            };
            return Err(StreamError { offset: self.offset, problem });
        }
    }

    fn consume(&mut self, count: usize) {
        self.unread.start += count;
        self.offset += count as u64;
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("unread", &self.unread.len())
            .field("offset", &self.offset)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// A stream that is none of RFC 9329, or not any more: close the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamError {
    /// Where in the stream, in bytes from its beginning, prefix included.
    pub offset: u64,
    /// What is wrong there.
    pub problem: StreamProblem,
}

/// What is wrong with a stream. It is always the peer that sent it, or whoever sits in the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StreamProblem {
    /// It does not begin with [`STREAM_PREFIX`].
    Prefix,
    /// The length field holds this, which is less than the length of the field: RFC 9329 section 3.1.
    Length(u16),
    /// The length field holds this, which is more than is accepted here.
    TooLong(u16),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            StreamProblem::Prefix => f.write_str("stream without the prefix IKETCP")?,
            StreamProblem::Length(length) => write!(f, "length field of {length}")?,
            StreamProblem::TooLong(length) => write!(f, "message of length {length}, too long")?,
        }
        write!(f, " at offset {}", self.offset)
    }
}

impl core::error::Error for StreamError {}
