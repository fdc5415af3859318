//! The yardstick: the AEAD alone, over the same number of bytes.

use std::time::Duration;

use adit_platform::aead::AeadAlgorithm;
use adit_platform::ring::PROVIDER;
use tokio::time::Instant;

use crate::Error;

/// What ESP adds to a packet of this size before it is encrypted: padding to 4 bytes, and the trailer.
const fn plaintext(packet: usize) -> usize {
    (packet + 2).next_multiple_of(4)
}

/// The time to seal and to open one packet with AES-256-GCM, the suite that the peers choose: the median of
/// many rounds.
pub(crate) fn seconds_per_packet(packet: usize) -> Result<Duration, Error> {
    const ROUNDS: usize = 51;
    const PER_ROUND: u32 = 2000;
    let algorithm = AeadAlgorithm::Aes256Gcm16;
    let aead = PROVIDER.aead(algorithm).ok_or("the provider lacks AES-256-GCM")?;
    let key = aead.key(&[7; 32])?;
    let plain = plaintext(packet);
    let mut buf = vec![0; plain + algorithm.tag_len()];
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for counter in 0..PER_ROUND {
            let mut nonce = [0; 12];
            nonce[8..].copy_from_slice(&counter.to_be_bytes());
            key.seal(&nonce, &[0; 8], &mut buf)?;
            key.open(&nonce, &[0; 8], &mut buf)?;
        }
        rounds.push(start.elapsed() / PER_ROUND);
    }
    rounds.sort();
    Ok(rounds[ROUNDS / 2])
}
