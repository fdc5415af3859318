//! The OCSP responses in a store, found by serial number.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::revocation::ocsp::{OcspError, OcspResponse, Single, Status};

/// Verified responses, each under the serial number of every certificate that it speaks of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Responses {
    by_serial: BTreeMap<Vec<u8>, Vec<Arc<OcspResponse>>>,
    count: usize,
}

impl Responses {
    pub(crate) const fn new() -> Self {
        Self { by_serial: BTreeMap::new(), count: 0 }
    }

    pub(crate) fn about(&self, serial: &[u8]) -> &[Arc<OcspResponse>] {
        self.by_serial.get(serial).map_or(&[], Vec::as_slice)
    }

    /// Each response once: at the first serial number under which it is kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<OcspResponse>> {
        self.by_serial.iter().flat_map(move |(serial, responses)| {
            responses
                .iter()
                .filter(move |response| self.serials(response).min() == Some(&serial[..]))
        })
    }

    /// The serial numbers under which a response is kept.
    fn serials<'r>(&'r self, response: &'r Arc<OcspResponse>) -> impl Iterator<Item = &'r [u8]> {
        let kept = |serial: &&[u8]| self.about(serial).iter().any(|at| Arc::ptr_eq(at, response));
        response.singles().map(|single| single.id.serial).filter(kept)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&OcspResponse) -> bool) {
        let dropped: Vec<_> = self.iter().filter(|response| !keep(response)).cloned().collect();
        for response in dropped {
            self.remove(&response);
        }
    }

    /// Takes a response in for every certificate of which it knows something newer. At most `limit` are kept.
    pub(crate) fn insert(
        &mut self,
        response: Arc<OcspResponse>,
        limit: usize,
    ) -> Result<(), OcspError> {
        let mut serials: Vec<&[u8]> = response.singles().map(|single| single.id.serial).collect();
        serials.sort_unstable();
        serials.dedup();
        serials.retain(|serial| {
            let mut of_serial = response.singles().filter(|single| single.id.serial == *serial);
            of_serial.all(|new| self.is_news(&response, &new))
        });
        if serials.is_empty() {
            return Err(OcspError::Superseded);
        }
        if self.count >= limit && self.iter().all(|old| revokes(old)) {
            return Err(OcspError::Full);
        }
        let mut replaced: Vec<Arc<OcspResponse>> = Vec::new();
        for &serial in &serials {
            let of_serial = self.by_serial.entry(serial.to_vec()).or_default();
            replaced.extend(of_serial.extract_if(.., |old| replaces(&response, old, serial)));
            of_serial.push(Arc::clone(&response));
        }
        self.count += 1;
        // One that was replaced for some of its certificates may still speak of others.
        replaced.sort_unstable_by_key(Arc::as_ptr);
        replaced.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let gone = replaced.iter().filter(|old| self.serials(old).next().is_none()).count();
        self.count -= gone;
        if self.count > limit {
            let others = self.iter().filter(|old| !revokes(old) && !Arc::ptr_eq(old, &response));
            let oldest = others.min_by_key(|old| old.produced_at()).cloned();
            oldest.iter().for_each(|oldest| self.remove(oldest));
        }
        Ok(())
    }

    /// Whether nothing at hand of the same authority is newer.
    fn is_news(&self, response: &OcspResponse, new: &Single<'_>) -> bool {
        let about = self.about(new.id.serial).iter();
        let same = about.filter(|old| old.signer.authority() == response.signer.authority());
        same.flat_map(|old| old.singles().map(move |single| (old, single)))
            .filter(|(_, single)| single.id == new.id)
            .all(|(old, single)| match (single.status, new.status) {
                (Status::Unknown, Status::Good | Status::Revoked(_)) => true,
                (Status::Good | Status::Revoked(_), Status::Unknown) => false,
                _ => age(response, new) >= age(old, &single),
            })
    }

    fn remove(&mut self, response: &Arc<OcspResponse>) {
        let mut found = false;
        for single in response.singles() {
            let Some(of_serial) = self.by_serial.get_mut(single.id.serial) else { continue };
            of_serial.retain(|at| {
                let same = Arc::ptr_eq(at, response);
                found |= same;
                !same
            });
            if of_serial.is_empty() {
                self.by_serial.remove(single.id.serial);
            }
        }
        self.count -= usize::from(found);
    }
}

/// Which of two statuses is the newer.
fn age(response: &OcspResponse, single: &Single<'_>) -> (i64, i64) {
    (single.this_update, response.produced_at())
}

/// Whether `new`, which is news about a certificate of this serial number, makes `old` obsolete for it.
fn replaces(new: &OcspResponse, old: &OcspResponse, serial: &[u8]) -> bool {
    let of_serial = |single: &Single<'_>| single.id.serial == serial;
    new.signer.authority() == old.signer.authority()
        && old.singles().filter(of_serial).all(|old| new.singles().any(|new| new.id == old.id))
}

fn revokes(response: &OcspResponse) -> bool {
    response.singles().any(|single| matches!(single.status, Status::Revoked(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::encode::{self, sequence, tlv};
    use crate::format::oid;
    use crate::revocation::ocsp::Unverified;
    use crate::revocation::responder::Signer;

    /// A response made at this second of 2024, about certificates of these serial numbers.
    fn response(second: u8, good: bool, serials: &[u8]) -> Arc<OcspResponse> {
        let octets = |content: &[u8]| tlv(0x04, &[content]);
        let time = |tag| {
            tlv(
                tag,
                &[&[b"202401010000", &[b'0' + second / 10, b'0' + second % 10, b'Z'][..]].concat()],
            )
        };
        let time = time(0x18);
        let revoked = tlv(0xa1, &[&time]);
        let status = if good { tlv(0x80, &[]) } else { revoked };
        let singles = serials.iter().flat_map(|serial| {
            let hash = sequence(&[&encode::oid(oid::SHA1)]);
            let id =
                sequence(&[&hash, &octets(&[1; 20]), &octets(&[2; 20]), &tlv(2, &[&[*serial]])]);
            sequence(&[&id, &status, &time])
        });
        let singles: Vec<u8> = singles.collect();
        let by = tlv(0xa2, &[&octets(&[3; 20])]);
        let data = sequence(&[&by, &time, &sequence(&[&singles])]);
        let algorithm = sequence(&[&encode::oid(oid::ED25519)]);
        let basic = sequence(&[&data, &algorithm, &encode::bit_string(&[0])]);
        let bytes = sequence(&[&encode::oid(oid::OCSP_BASIC), &octets(&basic)]);
        let der = sequence(&[&[0x0a, 1, 0], &tlv(0xa0, &[&bytes])]);
        let unverified = Unverified::read(&der).unwrap_or_else(|error| panic!("{error}"));
        Arc::new(unverified.verified(Signer::test()))
    }

    fn produced(responses: &Responses) -> Vec<i64> {
        let mut times: Vec<i64> = responses.iter().map(|it| it.produced_at() % 60).collect();
        times.sort_unstable();
        times
    }

    #[test]
    fn a_full_store_drops_the_oldest_that_revokes_nothing() {
        let mut responses = Responses::new();
        let mut insert =
            |second, good, serial| responses.insert(response(second, good, &[serial]), 3);
        insert(1, false, 1).unwrap();
        insert(3, true, 2).unwrap();
        insert(2, true, 3).unwrap();
        insert(4, true, 4).unwrap();
        assert_eq!(produced(&responses), [1, 3, 4]);
        // One that replaces another needs no room of its own.
        responses.insert(response(5, false, &[2]), 3).unwrap();
        assert_eq!(produced(&responses), [1, 4, 5]);
        responses.insert(response(6, false, &[5]), 3).unwrap();
        assert_eq!(produced(&responses), [1, 5, 6]);
        let full = responses.insert(response(7, true, &[6]), 3);
        assert_eq!(full, Err(OcspError::Full));
        assert_eq!(produced(&responses), [1, 5, 6]);
    }

    #[test]
    fn a_response_about_several_stays_for_those_that_nothing_newer_is_known_of() {
        let mut responses = Responses::new();
        responses.insert(response(1, true, &[1, 2, 3]), 9).unwrap();
        responses.insert(response(2, true, &[1]), 9).unwrap();
        assert_eq!(produced(&responses), [1, 2]);
        assert_eq!(responses.about(&[1]).len(), 1);
        assert_eq!(responses.about(&[2]).len(), 1);
        responses.insert(response(3, true, &[2, 3]), 9).unwrap();
        assert_eq!((produced(&responses), responses.count), (Vec::from([2, 3]), 2));
        // Older for the one, newer for the other.
        responses.insert(response(2, true, &[2, 4]), 9).unwrap();
        assert_eq!((produced(&responses), responses.count), (Vec::from([2, 2, 3]), 3));
        assert_eq!(responses.about(&[2])[0].produced_at() % 60, 3);
        responses.retain(|response| response.produced_at() % 60 == 3);
        assert_eq!((produced(&responses), responses.count), (Vec::from([3]), 1));
        assert!(responses.about(&[4]).is_empty());
    }
}
