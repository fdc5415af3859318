//! Where a datagram belongs: IKE with or without the non-ESP marker, ESP, or a NAT keepalive.

use core::net::SocketAddr;

use adit_platform::hash::{Digest, Hash};

use crate::wire::IkeSpi;

/// Four zero octets in front of an IKE message on a socket that ESP shares: RFC 7296 section 2.23. No ESP
/// packet begins with them, for its SPI is not zero.
pub(crate) const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// The payload of a NAT-keepalive: RFC 3948 section 2.3.
pub(crate) const NAT_KEEPALIVE: [u8; 1] = [0xff];

/// What a UDP payload is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// An IKE message that starts at this offset.
    Ike(usize),
    /// An ESP packet.
    Esp,
    /// Only there to keep a NAT mapping alive, or nothing at all.
    Keepalive,
}

/// Sorts the payload of a datagram that arrived on a port where IKE messages carry the marker (`marked`),
/// or on one where they do not.
pub(crate) fn classify(datagram: &[u8], marked: bool) -> Kind {
    if datagram.is_empty() || datagram == NAT_KEEPALIVE {
        return Kind::Keepalive;
    }
    if !marked {
        return Kind::Ike(0);
    }
    if datagram.starts_with(&NON_ESP_MARKER) { Kind::Ike(NON_ESP_MARKER.len()) } else { Kind::Esp }
}

/// The content of NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP: RFC 7296 section 2.23.
pub(crate) fn nat_detection_hash(
    sha1: &dyn Hash,
    initiator_spi: IkeSpi,
    responder_spi: IkeSpi,
    address: SocketAddr,
) -> Digest {
    let port = address.port().to_be_bytes();
    let spis = (&initiator_spi.0, &responder_spi.0);
    match address {
        SocketAddr::V4(v4) => sha1.hash(&[spis.0, spis.1, &v4.ip().octets(), &port]),
        SocketAddr::V6(v6) => sha1.hash(&[spis.0, spis.1, &v6.ip().octets(), &port]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_port_carries_three_kinds() {
        assert_eq!(classify(&[0xff], true), Kind::Keepalive);
        assert_eq!(classify(&[0, 0, 0, 0, 1], true), Kind::Ike(4));
        assert_eq!(classify(&[0, 0, 0, 1, 1], true), Kind::Esp);
        assert_eq!(classify(&[0, 0, 0], true), Kind::Esp);
    }

    #[test]
    fn an_unmarked_port_carries_ike_alone() {
        assert_eq!(classify(&[0, 0, 0, 0, 1], false), Kind::Ike(0));
        assert_eq!(classify(&[], false), Kind::Keepalive);
        assert_eq!(classify(&[0xff], false), Kind::Keepalive);
    }
}
