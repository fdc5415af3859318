//! Cookies against floods from forged addresses: RFC 7296 section 2.6.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use adit_platform::prf::Prf;
use adit_platform::rng::{Rng, RngError};
use adit_platform::{Instant, Secret};

use crate::wire::IkeSpi;

/// Makes cookies and recognises them again, without remembering any.
///
/// A cookie is the version of the secret followed by `prf(secret, SPIi | IPi | Ni)`. It leaves SAi1 and KEi
/// out, so that one cookie also serves a retry with another key exchange group (section 2.6.1).
pub(crate) struct Cookies {
    prf: &'static dyn Prf,
    lifetime: Duration,
    current: Option<Generation>,
    previous: Option<Generation>,
}

/// A secret and the time at which it was drawn.
struct Generation {
    version: u8,
    secret: Secret,
    since: Instant,
}

/// What a cookie is bound to.
pub(crate) struct Claim<'a> {
    pub(crate) initiator_spi: IkeSpi,
    pub(crate) address: IpAddr,
    pub(crate) nonce: &'a [u8],
}

/// Bytes of a secret: as long as the output of the shortest prf.
const SECRET_LEN: usize = 32;

impl Cookies {
    pub(crate) const fn new(prf: &'static dyn Prf, lifetime: Duration) -> Self {
        Self { prf, lifetime, current: None, previous: None }
    }

    /// The cookie for this claim.
    pub(crate) fn make(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        claim: &Claim<'_>,
    ) -> Result<Vec<u8>, RngError> {
        self.rotate(now);
        let generation = match self.current.take() {
            Some(generation) => generation,
            None => Generation {
                version: self.previous.as_ref().map_or(0, |old| old.version.wrapping_add(1)),
                secret: Secret::random(SECRET_LEN, rng)?,
                since: now,
            },
        };
        let mac = mac(self.prf, &generation.secret, claim);
        let mut cookie = Vec::with_capacity(1 + mac.len());
        cookie.push(generation.version);
        cookie.extend_from_slice(mac.expose());
        self.current = Some(generation);
        Ok(cookie)
    }

    /// True if `cookie` was made here for this claim, one to two lifetimes ago at most.
    pub(crate) fn check(&mut self, now: Instant, claim: &Claim<'_>, cookie: &[u8]) -> bool {
        self.rotate(now);
        let Some((version, received)) = cookie.split_first() else { return false };
        let generations = [&self.current, &self.previous].into_iter().flatten();
        let Some(generation) = generations.into_iter().find(|it| it.version == *version) else {
            return false;
        };
        // `Secret` compares in constant time.
        mac(self.prf, &generation.secret, claim) == Secret::copy_from(received)
    }

    /// Retires secrets that had their time.
    fn rotate(&mut self, now: Instant) {
        let age = |it: &Generation| now - it.since;
        if self.previous.as_ref().is_some_and(|it| age(it) >= self.lifetime * 2) {
            self.previous = None;
        }
        if self.current.as_ref().is_some_and(|it| age(it) >= self.lifetime) {
            self.previous = self.current.take().filter(|it| age(it) < self.lifetime * 2);
        }
    }
}

fn mac(prf: &dyn Prf, secret: &Secret, claim: &Claim<'_>) -> Secret {
    let (v4, v6);
    let address: &[u8] = match claim.address {
        IpAddr::V4(address) => {
            v4 = address.octets();
            &v4
        }
        IpAddr::V6(address) => {
            v6 = address.octets();
            &v6
        }
    };
    // The SPI is of fixed length and the address of one of two lengths that no nonce can bridge: the
    // family is told apart by a leading octet.
    let family = [u8::from(claim.address.is_ipv6())];
    prf.compute(secret.expose(), &[&claim.initiator_spi.0, &family, address, claim.nonce])
}
