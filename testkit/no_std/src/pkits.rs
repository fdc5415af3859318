//! Runs NIST PKITS where there is no standard library: `no_std` and `alloc` alone, an allocator and a panic handler
//! of its own, the RustCrypto provider. Of the C library it uses `read`, `write` and what the compiler wants.
//!
//! ```text
//! cargo run -p adit-certval --example pack_pkits > pkits.bin
//! cd testkit/no_std && cargo run --release --features pkits --bin pkits < pkits.bin
//! pkits no_std: valid 112/114 invalid 135/135
//! ```
//!
//! The two that are valid and not accepted need DSA; they must end as an unsupported algorithm. The example says
//! how the file is made up.
#![no_std]
#![no_main]

extern crate alloc;

mod heap;
#[cfg(not(target_os = "none"))]
mod unwind;

use alloc::format;
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use core::panic::PanicInfo;

use adit_certval::{
    AlgorithmPolicy, CrlStore, Outcome, PolicyInputs, Purpose, Query, Reason, TrustAnchor, Verifier,
};
use adit_platform::UnixTime;
use adit_platform::rustcrypto::PROVIDER;

#[global_allocator]
static HEAP: heap::Bump<{ 1 << 30 }> = heap::Bump::new();

unsafe extern "C" {
    fn read(file: c_int, buffer: *mut c_void, len: usize) -> isize;
    fn write(file: c_int, buffer: *const c_void, len: usize) -> isize;
    safe fn _exit(code: c_int) -> !;
}

/// What the C library calls.
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let input = standard_input();
    match run(&mut Input(&input)) {
        Some(Columns { valid: (112, 114), invalid: (135, 135), unsupported: 2 }) => 0,
        Some(_) => 1,
        None => {
            print("pkits no_std: the packed file is cut off\n");
            2
        }
    }
}

/// How many of how many.
#[derive(Default)]
struct Columns {
    valid: (u32, u32),
    invalid: (u32, u32),
    /// Valid ones that ended as an unsupported algorithm.
    unsupported: u32,
}

fn run(input: &mut Input<'_>) -> Option<Columns> {
    let now = UnixTime::from_secs(u64::from_be_bytes(*input.take()?));
    let mut columns = Columns::default();
    for _ in 0..input.number()? {
        let name = core::str::from_utf8(input.item()?).ok()?;
        let [flags] = *input.take()?;
        let anchor = input.item()?;
        let (certificates, crls) = (input.list()?, input.list()?);
        let (initial, expected) = (input.list()?, input.list()?);
        let policies = PolicyInputs {
            initial: &initial,
            require_explicit: flags & 8 != 0,
            inhibit_mapping: flags & 4 != 0,
            inhibit_any: flags & 2 != 0,
        };
        let result = verify(now, anchor, &certificates, &crls, policies);
        let valid = flags & 1 != 0;
        let column = if valid { &mut columns.valid } else { &mut columns.invalid };
        column.1 += 1;
        match result {
            Ok(mut found) if valid => {
                found.sort();
                let mut expected = expected;
                expected.sort();
                // A test that says nothing about policies lists none.
                if expected.is_empty() || found == expected {
                    column.0 += 1;
                } else {
                    print(&format!("{name}: other policies than expected\n"));
                }
            }
            Ok(_) => print(&format!("{name}: accepted\n")),
            Err(_) if !valid => column.0 += 1,
            Err(Reason::UnsupportedAlgorithm) => columns.unsupported += 1,
            Err(reason) => print(&format!("{name}: {reason}\n")),
        }
    }
    let Columns { valid, invalid, .. } = &columns;
    print(&format!(
        "pkits no_std: valid {}/{} invalid {}/{}\n",
        valid.0, valid.1, invalid.0, invalid.1
    ));
    Some(columns)
}

/// The user-constrained policies of an accepted path.
fn verify(
    now: UnixTime,
    anchor: &[u8],
    certificates: &[&[u8]],
    crls: &[&[u8]],
    policies: PolicyInputs<'_>,
) -> Result<Vec<Vec<u8>>, Reason> {
    let mut verifier = Verifier::new(&PROVIDER);
    verifier.algorithms = AlgorithmPolicy { min_rsa_bits: 1024, ..AlgorithmPolicy::default() };
    verifier.add_anchor(TrustAnchor::from_der(anchor.to_vec()).map_err(Reason::Malformed)?);
    let mut store = CrlStore::new();
    for crl in crls {
        // Whatever is wrong with a CRL, it is then not there.
        let _ = store.insert(&verifier, crl.to_vec(), certificates);
    }
    let mut query = Query::new(certificates, now);
    query.purpose = Purpose::Any;
    query.may_fetch = false;
    query.policies = policies;
    match verifier.verify(&query, &store) {
        Ok(Outcome::Accepted(path)) => Ok(path.policies().map(<[u8]>::to_vec).collect()),
        Ok(_) => panic!("nothing can be fetched"),
        Err(error) => Err(error.reason),
    }
}

/// What is left of the packed file.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(head)
    }

    fn number(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(*self.take()?)).ok()
    }

    fn item(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn list(&mut self) -> Option<Vec<&'a [u8]>> {
        (0..self.number()?).map(|_| self.item()).collect()
    }
}

fn standard_input() -> Vec<u8> {
    let mut all = Vec::with_capacity(16 << 20);
    let mut part = [0; 4096];
    loop {
        // SAFETY: `part` has room for that many octets.
        let count = unsafe { read(0, part.as_mut_ptr().cast(), part.len()) };
        match usize::try_from(count) {
            Ok(0) | Err(_) => return all,
            Ok(count) => all.extend_from_slice(&part[..count]),
        }
    }
}

fn print(text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        // SAFETY: `rest` has that many octets.
        match usize::try_from(unsafe { write(1, rest.as_ptr().cast(), rest.len()) }) {
            Ok(0) | Err(_) => return,
            Ok(count) => rest = &rest[count..],
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    print(&format!("{info}\n"));
    _exit(101)
}
