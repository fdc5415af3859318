//! Inner addresses for clients.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

/// A range of inner addresses, of one family.
///
/// Written as a prefix, whose first and, for IPv4, last address stay free as network and broadcast
/// address, or as two addresses that both belong to it.
///
/// ```
/// use adit::adapters::pool::AddressRange;
///
/// let range: AddressRange = "10.99.0.0/24".parse()?;
/// assert_eq!(range.to_string(), "10.99.0.1-10.99.0.254");
/// let range: AddressRange = "fd99::10-fd99::1f".parse()?;
/// assert_eq!(range.size(), 16);
/// # Ok::<(), adit::adapters::pool::RangeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// The addresses from `first` to `last`, both included.
    pub fn new(first: IpAddr, last: IpAddr) -> Result<Self, RangeError> {
        match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) if a <= b => Ok(Self { first, last }),
            (IpAddr::V6(a), IpAddr::V6(b)) if a <= b => Ok(Self { first, last }),
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                Err(RangeError::Reversed)
            }
            _ => Err(RangeError::MixedFamilies),
        }
    }

    /// Number of addresses; saturates at `u128::MAX`.
    pub fn size(&self) -> u128 {
        (to_number(self.last) - to_number(self.first)).saturating_add(1)
    }

    /// True for IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.first.is_ipv4()
    }

    /// The fewest subnets that make up the range: what to route.
    pub fn subnets(&self) -> impl Iterator<Item = IpNet> + use<> {
        match (self.first, self.last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => IpSubnets::from(Ipv4Subnets::new(a, b, 0)),
            (a, b) => {
                let v6 = |ip| Ipv6Addr::from(to_number(ip));
                IpSubnets::from(Ipv6Subnets::new(v6(a), v6(b), 0))
            }
        }
    }

    /// True if `address` lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4() && self.first <= address && address <= self.last
    }

    /// The address `offset` places behind the first, which the caller knows to lie in the range.
    fn nth(&self, offset: u128) -> IpAddr {
        let number = to_number(self.first).wrapping_add(offset);
        match self.first {
            // An IPv4 range stays below 2^32, because both its ends do.
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(number as u32)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
        }
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let address = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| RangeError::NoAddress);
        if let Some((first, last)) = text.split_once('-') {
            return Self::new(address(first)?, address(last)?);
        }
        let (prefix, length) = text.split_once('/').ok_or(RangeError::NoLength)?;
        let prefix = address(prefix)?;
        let width = if prefix.is_ipv4() { 32 } else { 128 };
        let length: u32 = length.trim().parse().map_err(|_| RangeError::PrefixLength)?;
        if length > width {
            return Err(RangeError::PrefixLength);
        }
        // All ones in the host's part; a shift by the whole width would overflow.
        let host = if length == 0 { u128::MAX } else { (1 << (width - length)) - 1 };
        let host = if prefix.is_ipv4() { host & 0xffff_ffff } else { host };
        let network = to_number(prefix) & !host;
        let (skip_first, skip_last) = match (host, prefix.is_ipv4()) {
            (0 | 1, _) => (0, 0),
            (_, true) => (1, 1),
            // The subnet-router anycast address: RFC 4291 section 2.6.1.
            (_, false) => (1, 0),
        };
        let base = Self { first: prefix, last: prefix };
        let back = |number: u128| base.nth(number.wrapping_sub(to_number(prefix)));
        Self::new(back(network + skip_first), back((network | host) - skip_last))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

fn to_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// Why a text is no [`AddressRange`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeError {
    /// An end of the range is not an IP address.
    NoAddress,
    /// Neither a `/length` nor a second address was given.
    NoLength,
    /// The prefix length is no number or larger than the address.
    PrefixLength,
    /// The second address lies before the first.
    Reversed,
    /// One end is IPv4, the other IPv6.
    MixedFamilies,
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "not an IP address",
            Self::NoLength => "write a prefix like 10.0.0.0/24 or a range like 10.0.0.1-10.0.0.9",
            Self::PrefixLength => {
                "the prefix length must be a number from 0 to 32, or 128 for IPv6"
            }
            Self::Reversed => "the last address lies before the first",
            Self::MixedFamilies => "one end of the range is IPv4 and the other IPv6",
        })
    }
}

impl core::error::Error for RangeError {}

/// Hands out the addresses of its ranges, one client each.
///
/// A client that comes back gets the address that it had, as long as nobody else needed it. Looking one
/// up takes logarithmic time, and memory grows with the clients seen and not with the range.
///
/// ```
/// use adit::adapters::pool::AddressPool;
///
/// let mut pool = AddressPool::new(["10.99.0.1-10.99.0.2".parse()?]);
/// let alice = pool.lease_ipv4(b"alice").unwrap();
/// let bob = pool.lease_ipv4(b"bob").unwrap();
/// assert!(pool.lease_ipv4(b"carol").is_none());
/// pool.release(alice);
/// assert_eq!(pool.lease_ipv4(b"alice"), Some(alice));
/// # let _ = bob;
/// # Ok::<(), adit::adapters::pool::RangeError>(())
/// ```
#[derive(Debug, Default)]
pub struct AddressPool {
    ranges: Vec<Range>,
}

#[derive(Debug)]
struct Range {
    range: AddressRange,
    /// Offsets from here on were never handed out.
    fresh: u128,
    /// Offsets in use, with the identity that has each.
    leased: BTreeMap<u128, Vec<u8>>,
    /// Offsets that came back, with the identity that had each.
    returned: BTreeMap<u128, Vec<u8>>,
    /// The same by identity.
    had: BTreeMap<Vec<u8>, u128>,
}

impl AddressPool {
    /// A pool of these ranges; of ranges of the same family the first that has room serves.
    pub fn new(ranges: impl IntoIterator<Item = AddressRange>) -> Self {
        let ranges = ranges.into_iter().map(|range| Range {
            range,
            fresh: 0,
            leased: BTreeMap::new(),
            returned: BTreeMap::new(),
            had: BTreeMap::new(),
        });
        Self { ranges: ranges.collect() }
    }

    /// True if the pool has IPv4 addresses at all.
    pub fn has_ipv4(&self) -> bool {
        self.ranges.iter().any(|r| r.range.is_ipv4())
    }

    /// True if the pool has IPv6 addresses at all.
    pub fn has_ipv6(&self) -> bool {
        self.ranges.iter().any(|r| !r.range.is_ipv4())
    }

    /// An IPv4 address for `identity`; `None` when all are taken.
    pub fn lease_ipv4(&mut self, identity: &[u8]) -> Option<Ipv4Addr> {
        match self.lease(identity, true)? {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        }
    }

    /// An IPv6 address for `identity`; `None` when all are taken.
    pub fn lease_ipv6(&mut self, identity: &[u8]) -> Option<Ipv6Addr> {
        match self.lease(identity, false)? {
            IpAddr::V6(v6) => Some(v6),
            IpAddr::V4(_) => None,
        }
    }

    /// Takes this very address for `identity`, because a RADIUS server or a configuration assigned it.
    ///
    /// False if somebody has it. An address outside all ranges is not this pool's business: true.
    pub fn reserve(&mut self, address: IpAddr, identity: &[u8]) -> bool {
        match self.ranges.iter_mut().find(|r| r.range.contains(address)) {
            Some(range) => range.reserve(address, identity),
            None => true,
        }
    }

    /// Gives an address back; one that is not leased, or not of this pool, is ignored.
    pub fn release(&mut self, address: impl Into<IpAddr>) {
        let address = address.into();
        if let Some(range) = self.ranges.iter_mut().find(|r| r.range.contains(address)) {
            range.release(address);
        }
    }

    fn lease(&mut self, identity: &[u8], ipv4: bool) -> Option<IpAddr> {
        let mut ranges = self.ranges.iter_mut().filter(|r| r.range.is_ipv4() == ipv4);
        ranges.find_map(|range| range.lease(identity))
    }
}

impl Range {
    fn lease(&mut self, identity: &[u8]) -> Option<IpAddr> {
        let offset = match self.had.get(identity) {
            Some(offset) => *offset,
            None => match self.next_fresh() {
                Some(offset) => offset,
                None => *self.returned.keys().next()?,
            },
        };
        self.forget(offset);
        self.leased.insert(offset, identity.to_vec());
        Some(self.range.nth(offset))
    }

    /// The next offset that was never handed out, passing over reserved ones.
    fn next_fresh(&mut self) -> Option<u128> {
        while self.fresh < self.range.size() {
            let offset = self.fresh;
            self.fresh += 1;
            if !self.leased.contains_key(&offset) && !self.returned.contains_key(&offset) {
                return Some(offset);
            }
        }
        None
    }

    fn reserve(&mut self, address: IpAddr, identity: &[u8]) -> bool {
        let offset = self.offset(address);
        if self.leased.contains_key(&offset) {
            return false;
        }
        self.forget(offset);
        self.leased.insert(offset, identity.to_vec());
        true
    }

    fn release(&mut self, address: IpAddr) {
        let offset = self.offset(address);
        if let Some(identity) = self.leased.remove(&offset) {
            self.returned.insert(offset, identity.clone());
            // Of several leases of one identity the one given back last is the one that it finds again.
            self.had.insert(identity, offset);
        }
    }

    /// Nobody has a claim to this offset any more.
    fn forget(&mut self, offset: u128) {
        if let Some(identity) = self.returned.remove(&offset)
            && self.had.get(&identity) == Some(&offset)
        {
            self.had.remove(&identity);
        }
    }

    /// Of an address that the caller knows to lie in the range.
    fn offset(&self, address: IpAddr) -> u128 {
        to_number(address).wrapping_sub(to_number(self.range.first))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn pool(range: &str) -> AddressPool {
        AddressPool::new([range.parse().unwrap()])
    }

    #[test]
    fn prefixes_leave_out_what_no_host_may_have() {
        for (text, shown) in [
            ("10.0.0.0/24", "10.0.0.1-10.0.0.254"),
            ("10.0.0.77/30", "10.0.0.77-10.0.0.78"),
            ("10.0.0.6/31", "10.0.0.6-10.0.0.7"),
            ("10.0.0.6/32", "10.0.0.6-10.0.0.6"),
            ("0.0.0.0/0", "0.0.0.1-255.255.255.254"),
            ("fd99::/112", "fd99::1-fd99::ffff"),
            ("fd99::5/128", "fd99::5-fd99::5"),
            ("::/0", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("10.0.0.9 - 10.0.1.9", "10.0.0.9-10.0.1.9"),
        ] {
            assert_eq!(text.parse::<AddressRange>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn wrong_ranges_are_refused_with_the_reason() {
        for (text, error) in [
            ("10.0.0.1", RangeError::NoLength),
            ("10.0.0/24", RangeError::NoAddress),
            ("10.0.0.0/33", RangeError::PrefixLength),
            ("fd00::/129", RangeError::PrefixLength),
            ("10.0.0.0/x", RangeError::PrefixLength),
            ("10.0.0.2-10.0.0.1", RangeError::Reversed),
            ("10.0.0.2-fd00::1", RangeError::MixedFamilies),
        ] {
            assert_eq!(text.parse::<AddressRange>(), Err(error), "{text}");
        }
    }

    #[test]
    fn no_address_is_leased_twice_and_the_last_one_is_the_last() {
        let mut pool = pool("10.0.0.0/29");
        let mut seen: Vec<Ipv4Addr> = (0..6).map(|n| pool.lease_ipv4(&[n]).unwrap()).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6);
        assert_eq!(pool.lease_ipv4(b"late"), None);
        assert_eq!(pool.lease_ipv6(b"v6"), None);
    }

    #[test]
    fn who_comes_back_finds_the_old_address_unless_it_was_needed() {
        let mut pool = pool("10.0.0.1-10.0.0.2");
        let a = pool.lease_ipv4(b"a").unwrap();
        let b = pool.lease_ipv4(b"b").unwrap();
        pool.release(a);
        pool.release(b);
        assert_eq!(pool.lease_ipv4(b"b"), Some(b));
        assert_eq!(pool.lease_ipv4(b"c"), Some(a));
        assert_eq!(pool.lease_ipv4(b"a"), None);
        pool.release(b);
        assert_eq!(pool.lease_ipv4(b"a"), Some(b));
    }

    #[test]
    fn two_leases_of_one_identity_are_two_addresses() {
        let mut pool = pool("10.0.0.1-10.0.0.2");
        let first = pool.lease_ipv4(b"a").unwrap();
        let second = pool.lease_ipv4(b"a").unwrap();
        assert_ne!(first, second);
        pool.release(first);
        pool.release(second);
        assert_eq!(pool.lease_ipv4(b"a"), Some(second));
        assert_eq!(pool.lease_ipv4(b"b"), Some(first));
    }

    #[test]
    fn a_reserved_address_is_passed_over() {
        let mut pool = pool("10.0.0.1-10.0.0.2");
        let first = IpAddr::from([10, 0, 0, 1]);
        assert!(pool.reserve(first, b"radius"));
        assert!(!pool.reserve(first, b"again"));
        assert!(pool.reserve(IpAddr::from([192, 0, 2, 1]), b"elsewhere"));
        assert_eq!(pool.lease_ipv4(b"a"), Some(Ipv4Addr::new(10, 0, 0, 2)));
        assert_eq!(pool.lease_ipv4(b"b"), None);
    }

    #[test]
    fn what_is_not_leased_cannot_be_released() {
        let mut pool = pool("10.0.0.1-10.0.0.1");
        pool.release(IpAddr::from([10, 0, 0, 1]));
        pool.release(IpAddr::from([10, 0, 0, 9]));
        assert!(pool.lease_ipv4(b"a").is_some());
        assert_eq!(pool.lease_ipv4(b"b"), None);
    }
}
