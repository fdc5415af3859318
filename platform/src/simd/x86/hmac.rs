//! HMAC-SHA-2 over several packets side by side.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::lanes::Messages;
use super::{sha256, sha256_streams, sha512};
use crate::cipher_mac::Packet;

/// A key of HMAC with one hash.
macro_rules! hmac {
    ($(#[$doc:meta])* $name:ident, $hash:ident, $word:ty) => {
        $(#[$doc])*
        #[derive(Zeroize, ZeroizeOnDrop)]
        pub(in super::super) struct $name {
            /// The hash states after the inner and the outer padded key: RFC 2104 section 2.
            states: [[$word; 8]; 2],
            /// How many words of the hash state are the hash.
            digest: usize,
        }

        impl $name {
            /// Prepares a key of at most a block, for a hash that begins with `initial`, and of which the
            /// first `digest` words count.
            #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
            fn prepare(key: &[u8], initial: &[$word; 8], digest: usize) -> Self {
                let states = [0x36, 0x5c].map(|pad| {
                    let mut block = Zeroizing::new([pad; $hash::BLOCK]);
                    for (byte, key) in block.iter_mut().zip(key) {
                        *byte ^= key;
                    }
                    $hash::avx2::after(initial, &block)
                });
                Self { states, digest }
            }
        }
    };
}

/// A form of HMAC for so many packets side by side.
macro_rules! each {
    ($(#[$doc:meta])* $key:ident, $name:ident, $lanes:path, $hmac:path, $features:literal) => {
        impl $key {
            $(#[$doc])*
            #[target_feature(enable = $features)]
            pub(in super::super) fn $name(
                &self,
                packets: &mut [Packet<'_>],
                give: impl Fn(&mut Packet<'_>, &[u8]),
            ) {
                for group in packets.chunks_mut($lanes) {
                    let messages = Messages::covered_by(group);
                    let tags = $hmac(&self.states, self.digest, &messages);
                    for (packet, tag) in group.iter_mut().zip(&tags) {
                        give(packet, tag);
                    }
                }
            }
        }
    };
}

hmac!(
    /// A key of HMAC-SHA-256.
    HmacSha256, sha256, u32
);
hmac!(
    /// A key of HMAC-SHA-512 or -384.
    HmacSha512, sha512, u64
);

impl HmacSha256 {
    /// Prepares a key of 32 bytes.
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn new(key: &[u8; 32]) -> Self {
        Self::prepare(key, &sha256::INITIAL, 8)
    }
}

impl HmacSha512 {
    /// Prepares a key of 64 bytes.
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn new(key: &[u8; 64]) -> Self {
        Self::prepare(key, &sha512::INITIAL, 8)
    }

    /// Prepares a key of 48 bytes for HMAC-SHA-384.
    #[target_feature(enable = "ssse3,sse4.1,avx,avx2")]
    pub(in super::super) fn new_384(key: &[u8; 48]) -> Self {
        Self::prepare(key, &sha512::INITIAL_384, 6)
    }
}

each!(
    /// Computes the tags of packets, 8 side by side, and gives each packet its own.
    HmacSha256, each, sha256::avx2::LANES, sha256::avx2::hmac,
    "ssse3,sse4.1,avx,avx2"
);
each!(
    /// The same, 16 side by side.
    HmacSha256, each_wide, sha256::avx512::LANES, sha256::avx512::hmac,
    "ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl"
);
each!(
    /// The same, 4 side by side, with the instructions for SHA-256.
    HmacSha256, each_stream, sha256_streams::LANES, sha256_streams::narrow::hmac,
    "sha,ssse3,sse4.1,avx,avx2"
);
each!(
    /// The same where there are twice as many registers, so that all four messages fit.
    HmacSha256, each_stream_wide, sha256_streams::LANES, sha256_streams::wide::hmac,
    "sha,ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl"
);
each!(
    /// Computes the tags of packets, 4 side by side, and gives each packet its own.
    HmacSha512, each, sha512::avx2::LANES, sha512::avx2::hmac,
    "ssse3,sse4.1,avx,avx2"
);
each!(
    /// The same, 8 side by side.
    HmacSha512, each_wide, sha512::avx512::LANES, sha512::avx512::hmac,
    "ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl"
);
