//! ESP packets put together and taken apart by the RFCs alone, to hold an implementation against.

use adit_platform::{Provider, Suite};

/// The algorithms and keys of one direction of an SA.
///
/// ```
/// use adit_platform::{Suite, rustcrypto};
/// use adit_platform::mac::MacAlgorithm;
/// use adit_testkit::esp::Reference;
///
/// let sa = Reference {
///     provider: &rustcrypto::PROVIDER,
///     suite: Suite::DangerousNull(MacAlgorithm::AesCmac96),
///     encryption: &[],
///     integrity: &[7; 16],
///     extended: false,
/// };
/// let packet = sa.seal(0x1000, 1, &[], &[1, 2, 2, 59]);
/// assert_eq!(sa.open(&packet, 0), Some(vec![1, 2, 2, 59]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// Runs the algorithms.
    pub provider: &'a Provider,
    /// Their names.
    pub suite: Suite,
    /// The encryption key, with whatever salt or nonce belongs to it.
    pub encryption: &'a [u8],
    /// The integrity key, empty for a combined-mode suite.
    pub integrity: &'a [u8],
    /// True if sequence numbers have 64 bits.
    pub extended: bool,
}

impl Reference<'_> {
    /// The packet with this SPI, sequence number and IV whose encrypted part is `text`: payload, padding,
    /// pad length and next header, whatever they are.
    ///
    /// # Panics
    /// If a key, the IV or the text has a length that the suite does not take.
    pub fn seal(&self, spi: u32, sequence: u64, iv: &[u8], text: &[u8]) -> Vec<u8> {
        let mut packet = [spi.to_be_bytes(), (sequence as u32).to_be_bytes()].concat();
        packet.extend(iv);
        let mut body = text.to_vec();
        match self.suite {
            Suite::Aead(aead) | Suite::AeadImplicitIv(aead) => {
                let (key, salt) = self.encryption.split_at(aead.key_len());
                let key = self.provider.aead(aead).expect("listed").key(key).expect("its length");
                body.resize(text.len() + aead.tag_len(), 0);
                let nonce = [salt, &self.iv(sequence, iv)].concat();
                key.seal(&nonce, &self.aad(&packet, sequence), &mut body).expect("not too long");
                packet.extend(body);
            }
            Suite::CipherMac(cipher, _) => {
                let cipher = self.provider.cipher(cipher).expect("listed");
                let cipher = cipher.key(self.encryption).expect("its length");
                cipher.encrypt(iv, &mut body).expect("lengths that the cipher takes");
                packet.extend(body);
                packet.extend(self.icv(&packet, sequence));
            }
            _ => {
                packet.extend(body);
                packet.extend(self.icv(&packet, sequence));
            }
        }
        packet
    }

    /// The encrypted part of `packet`, whose sequence number has `high` as its high half, in the clear;
    /// `None` if it is not authentic.
    ///
    /// # Panics
    /// If a key has a length that the suite does not take, or the packet is shorter than its fixed parts.
    pub fn open(&self, packet: &[u8], high: u32) -> Option<Vec<u8>> {
        let low = u32::from_be_bytes(packet[4..8].try_into().expect("four bytes"));
        let sequence = u64::from(high) << 32 | u64::from(low);
        let (header, body) = packet.split_at(8 + self.suite.iv_len());
        let text_len = body.len() - self.suite.icv_len();
        let mut text = body.to_vec();
        match self.suite {
            Suite::Aead(aead) | Suite::AeadImplicitIv(aead) => {
                let (key, salt) = self.encryption.split_at(aead.key_len());
                let key = self.provider.aead(aead).expect("listed").key(key).expect("its length");
                let nonce = [salt, &self.iv(sequence, &header[8..])].concat();
                key.open(&nonce, &self.aad(header, sequence), &mut text).ok()?;
                text.truncate(text_len);
            }
            suite => {
                let (covered, icv) = packet.split_at(packet.len() - self.suite.icv_len());
                if self.icv(covered, sequence) != icv {
                    return None;
                }
                text.truncate(text_len);
                if let Suite::CipherMac(cipher, _) = suite {
                    let cipher = self.provider.cipher(cipher).expect("listed");
                    let cipher = cipher.key(self.encryption).expect("its length");
                    cipher.decrypt(&header[8..], &mut text).ok()?;
                }
            }
        }
        Some(text)
    }

    //= RFC 8750 section 4: the sequence number, with zeros in front if it has 32 bits.
    fn iv(&self, sequence: u64, sent: &[u8]) -> Vec<u8> {
        match self.suite {
            Suite::AeadImplicitIv(_) => sequence.to_be_bytes().into(),
            _ => sent.into(),
        }
    }

    //= RFC 4106 section 5: SPI and sequence number; RFC 4543 section 3.3: in GMAC the IV, too.
    fn aad(&self, header: &[u8], sequence: u64) -> Vec<u8> {
        let mut aad = header[..4].to_vec();
        match self.extended {
            true => aad.extend(sequence.to_be_bytes()),
            false => aad.extend((sequence as u32).to_be_bytes()),
        }
        if matches!(self.suite, Suite::Aead(aead) if !aead.encrypts()) {
            aad.extend(&header[8..]);
        }
        aad
    }

    //= RFC 4303 section 3.3.2.1: over the packet and the high half that is not sent.
    fn icv(&self, covered: &[u8], sequence: u64) -> Vec<u8> {
        let (Suite::CipherMac(_, mac) | Suite::DangerousNull(mac)) = self.suite else {
            return Vec::new();
        };
        let key = self.provider.mac(mac).expect("listed").key(self.integrity).expect("its length");
        let high = ((sequence >> 32) as u32).to_be_bytes();
        let mut icv = vec![0; mac.tag_len()];
        key.sign(&[covered, &high[..if self.extended { 4 } else { 0 }]], &mut icv).expect("fits");
        icv
    }
}
