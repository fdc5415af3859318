//! What other implementations take for a packet: WireGuard's, which also seal with ChaCha20-Poly1305 and
//! count, and Intel's library for IPsec, which is bare cryptography.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::Case;
use crate::esp::{PACKETS, inner_packet};

/// An established tunnel of boringtun's encapsulates packets of `len` bytes.
pub fn boringtun(len: usize) -> Case<'static> {
    use boringtun::noise::{Tunn, TunnResult};
    use boringtun::x25519::{PublicKey, StaticSecret};

    let secrets = [StaticSecret::from([1; 32]), StaticSecret::from([2; 32])];
    let [first, second] = secrets.each_ref().map(PublicKey::from);
    let [initiating, responding] = secrets;
    let mut initiator = Tunn::new(initiating, second, None, None, 1, None);
    let mut responder = Tunn::new(responding, first, None, None, 2, None);
    let mut buffers = [[0; 512]; 4];
    let [initiation, response, confirmation, rest] = &mut buffers;
    let sent = initiator.format_handshake_initiation(initiation, false);
    let TunnResult::WriteToNetwork(packet) = sent else { panic!("an initiation") };
    let sent = responder.decapsulate(None, packet, response);
    let TunnResult::WriteToNetwork(packet) = sent else { panic!("a response") };
    let sent = initiator.decapsulate(None, packet, confirmation);
    let TunnResult::WriteToNetwork(packet) = sent else { panic!("a confirmation") };
    assert!(matches!(responder.decapsulate(None, packet, rest), TunnResult::Done));

    let packet = inner_packet(len);
    let mut sealed = vec![vec![0; len + 64]; PACKETS];
    Case::new(PACKETS, move || {
        let mut bytes = 0;
        for buf in &mut sealed {
            let result = initiator.encapsulate(&packet, buf);
            let TunnResult::WriteToNetwork(packet) = result else { panic!("a session is there") };
            bytes += packet.len();
        }
        bytes
    })
}

/// An established tunnel of gotatun's encapsulates packets of `len` bytes.
pub fn gotatun(len: usize) -> Case<'static> {
    use gotatun::noise::index_table::IndexTable;
    use gotatun::noise::rate_limiter::RateLimiter;
    use gotatun::noise::{Tunn, TunnResult};
    use gotatun::packet::Packet;
    use gotatun::x25519::{PublicKey, StaticSecret};

    let secrets = [StaticSecret::from([1; 32]), StaticSecret::from([2; 32])];
    let [first, second] = secrets.each_ref().map(PublicKey::from);
    let limits = [first, second].map(|key| Arc::new(RateLimiter::new(&key, 100)));
    let [initiating, responding] = secrets;
    let [first_limit, second_limit] = limits;
    let table = IndexTable::from_os_rng;
    let mut initiator = Tunn::new(initiating, second, None, None, table(), first_limit);
    let mut responder = Tunn::new(responding, first, None, None, table(), second_limit);
    let initiation = initiator.format_handshake_initiation(false).expect("an initiation");
    let sent = responder.handle_incoming_packet(initiation.into());
    let TunnResult::WriteToNetwork(response) = sent else { panic!("a response") };
    let sent = initiator.handle_incoming_packet(response);
    let TunnResult::WriteToNetwork(confirmation) = sent else { panic!("a confirmation") };
    responder.handle_incoming_packet(confirmation);

    let packet = inner_packet(len);
    let plain = Rc::new(RefCell::new(Vec::new()));
    let to_fill = Rc::clone(&plain);
    Case::new(PACKETS, move || {
        let mut sealed = 0;
        for packet in plain.borrow_mut().drain(..) {
            sealed += usize::from(initiator.encapsulate_with_session(packet).is_ok());
        }
        assert_eq!(sealed, PACKETS);
        sealed
    })
    .prepared_by(move || {
        to_fill.borrow_mut().extend((0..PACKETS).map(|_| Packet::copy_from(&packet[..])));
    })
}

/// Intel's library seals texts of `len` bytes with AES-128-GCM, one call for each.
#[cfg(feature = "ipsec-mb")]
pub fn ipsec_mb(len: usize) -> Case<'static> {
    let gcm = ipsec_mb::Gcm::new(&[7; 16]);
    let mut texts = vec![vec![3; len + 16]; PACKETS];
    Case::new(PACKETS, move || {
        for text in &mut texts {
            gcm.seal(&[7; 12], &[5; 12], text);
        }
        texts.len()
    })
}

#[cfg(feature = "ipsec-mb")]
#[expect(unsafe_code, reason = "a library in C")]
mod ipsec_mb {
    use std::ffi::c_void;
    use std::ptr::NonNull;

    unsafe extern "C" {
        fn adit_gcm_new(key: *const u8) -> *mut c_void;
        fn adit_gcm_free(gcm: *mut c_void);
        fn adit_gcm_seal(
            gcm: *mut c_void,
            text: *mut u8,
            len: u64,
            nonce: *const u8,
            aad: *const u8,
            aad_len: u64,
        );
    }

    /// A key, in memory of the library's.
    pub(super) struct Gcm(NonNull<c_void>);

    impl Gcm {
        pub(super) fn new(key: &[u8; 16]) -> Self {
            // SAFETY: the 16 bytes of the key are read, and nothing of it is kept.
            let gcm = unsafe { adit_gcm_new(key.as_ptr()) };
            Self(NonNull::new(gcm).expect("memory for a key"))
        }

        /// `text` ends with room for the tag.
        pub(super) fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) {
            let len = text.len().checked_sub(16).expect("room for a tag") as u64;
            // SAFETY: `text` has 16 bytes more than `len`, for the tag; the others are only read, and
            // within their lengths.
            unsafe {
                adit_gcm_seal(
                    self.0.as_ptr(),
                    text.as_mut_ptr(),
                    len,
                    nonce.as_ptr(),
                    aad.as_ptr(),
                    aad.len() as u64,
                );
            }
        }
    }

    impl Drop for Gcm {
        fn drop(&mut self) {
            // SAFETY: it came from `adit_gcm_new` and is not used any more.
            unsafe { adit_gcm_free(self.0.as_ptr()) }
        }
    }
}
