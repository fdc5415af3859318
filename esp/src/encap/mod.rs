//! ESP and IKE on one UDP port (RFC 3948) or in one TCP stream (RFC 9329).

pub mod tcp;

/// The port that carries both ESP and IKE: in UDP behind a NAT (RFC 3947 section 4), in TCP wherever UDP is
/// blocked (RFC 9329 section 2).
pub const PORT: u16 = 4500;

/// What a NAT keepalive consists of: RFC 3948 section 2.3.
pub const KEEPALIVE: [u8; 1] = [0xff];

/// What stands in front of an IKE message where ESP has its SPI: RFC 3948 section 2.2.
pub const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// What ESP and IKE share, told apart: the content of a UDP datagram, or a message of a TCP stream.
///
/// ```
/// use adit_esp::encap::Payload;
///
/// assert_eq!(Payload::classify(&[0xff]), Payload::Keepalive);
/// assert_eq!(Payload::classify(&[0, 0, 0, 0, 7]), Payload::Ike(&[7]));
/// assert_eq!(Payload::classify(&[0, 0, 1, 0, 7]), Payload::Esp(&[0, 0, 1, 0, 7]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Payload<'a> {
    /// A NAT keepalive: ignore it. RFC 3948 section 4.
    Keepalive,
    /// An IKE message, behind the marker.
    Ike(&'a [u8]),
    /// An ESP packet, from its SPI on.
    Esp(&'a [u8]),
    /// Too short to be any of these: drop it.
    Invalid,
}

impl<'a> Payload<'a> {
    /// Tells what `payload` is. The ESP packet or IKE message itself is not looked at.
    pub fn classify(payload: &'a [u8]) -> Self {
        match payload.split_first_chunk() {
            Some((&NON_ESP_MARKER, message)) => Self::Ike(message),
            Some(_) => Self::Esp(payload),
            None if payload == KEEPALIVE => Self::Keepalive,
            None => Self::Invalid,
        }
    }
}

/// Like [`Payload`], for a buffer that is to be worked on in place.
///
/// ```
/// use adit_esp::encap::PayloadMut;
///
/// let mut datagram = [0, 0, 1, 0, 7];
/// assert!(matches!(PayloadMut::classify(&mut datagram), PayloadMut::Esp(packet) if packet.len() == 5));
/// ```
#[derive(PartialEq, Eq, Debug)]
pub enum PayloadMut<'a> {
    /// A NAT keepalive: ignore it.
    Keepalive,
    /// An IKE message, behind the marker.
    Ike(&'a mut [u8]),
    /// An ESP packet, from its SPI on.
    Esp(&'a mut [u8]),
    /// Too short to be any of these: drop it.
    Invalid,
}

impl<'a> PayloadMut<'a> {
    /// Like [`Payload::classify`].
    pub fn classify(payload: &'a mut [u8]) -> Self {
        match Payload::classify(payload) {
            Payload::Keepalive => Self::Keepalive,
            Payload::Ike(_) => Self::Ike(&mut payload[NON_ESP_MARKER.len()..]),
            Payload::Esp(_) => Self::Esp(payload),
            Payload::Invalid => Self::Invalid,
        }
    }
}
