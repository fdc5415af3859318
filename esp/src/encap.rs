//! ESP and IKE on one UDP port: RFC 3948.

/// The port that carries both ESP and IKE behind a NAT: RFC 3947 section 4.
pub const PORT: u16 = 4500;

/// What a NAT keepalive consists of: RFC 3948 section 2.3.
pub const KEEPALIVE: [u8; 1] = [0xff];

/// What stands in front of an IKE message on port 4500, where ESP has its SPI: RFC 3948 section 2.2.
pub const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// A datagram of the port that ESP and IKE share, told apart.
///
/// ```
/// use adit_esp::encap::UdpPayload;
///
/// assert_eq!(UdpPayload::classify(&[0xff]), UdpPayload::Keepalive);
/// assert_eq!(UdpPayload::classify(&[0, 0, 0, 0, 7]), UdpPayload::Ike(&[7]));
/// assert_eq!(UdpPayload::classify(&[0, 0, 1, 0, 7]), UdpPayload::Esp(&[0, 0, 1, 0, 7]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UdpPayload<'a> {
    /// A NAT keepalive: ignore it. RFC 3948 section 4.
    Keepalive,
    /// An IKE message, behind the marker.
    Ike(&'a [u8]),
    /// An ESP packet, from its SPI on.
    Esp(&'a [u8]),
    /// Too short to be any of these: drop it.
    Invalid,
}

impl<'a> UdpPayload<'a> {
    /// Tells what `payload`, the content of a UDP datagram, is. The ESP packet or IKE message itself is
    /// not looked at.
    pub fn classify(payload: &'a [u8]) -> Self {
        match payload.split_first_chunk() {
            Some((&NON_ESP_MARKER, message)) => Self::Ike(message),
            Some(_) => Self::Esp(payload),
            None if payload == KEEPALIVE => Self::Keepalive,
            None => Self::Invalid,
        }
    }
}

/// Like [`UdpPayload`], for a buffer that is to be worked on in place.
#[derive(PartialEq, Eq, Debug)]
pub enum UdpPayloadMut<'a> {
    /// A NAT keepalive: ignore it.
    Keepalive,
    /// An IKE message, behind the marker.
    Ike(&'a mut [u8]),
    /// An ESP packet, from its SPI on.
    Esp(&'a mut [u8]),
    /// Too short to be any of these: drop it.
    Invalid,
}

impl<'a> UdpPayloadMut<'a> {
    /// Like [`UdpPayload::classify`].
    pub fn classify(payload: &'a mut [u8]) -> Self {
        match UdpPayload::classify(payload) {
            UdpPayload::Keepalive => Self::Keepalive,
            UdpPayload::Ike(_) => Self::Ike(&mut payload[NON_ESP_MARKER.len()..]),
            UdpPayload::Esp(_) => Self::Esp(payload),
            UdpPayload::Invalid => Self::Invalid,
        }
    }
}
