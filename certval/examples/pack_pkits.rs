//! Packs NIST PKITS into one file, for the program without a standard library that runs it
//! (`testkit/no_std/src/pkits.rs`).
//!
//! ```text
//! cargo run -p adit-certval --example pack_pkits > pkits.bin
//! ```
//!
//! All numbers are big-endian. The file is the time of the tests (8 octets) and the list of them; a list is its
//! count (4 octets) and its items; an item is its length (4 octets) and its octets. A test is its name, flags
//! (1 octet: explicit policy required, policy mapping inhibited, anyPolicy inhibited, valid), the trust anchor,
//! and four lists: the certificates with the peer's first, the CRLs, the initial policies, the policies expected.

use std::io::Write;

use adit_testkit::{data, der};
use serde_json::Value;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Says SKIP if it is not there.
    let Some(table) = data::read("cert/pkits/pkits.json") else { return Ok(()) };
    let table: Value = serde_json::from_slice(&table)?;
    let tests = table["tests"].as_array().ok_or("no list of tests")?;
    let file = |kind: &str, name: &str| {
        let suffix = if kind == "certs" { "der" } else { "crl" };
        data::read(&format!("cert/pkits/{kind}/{name}.{suffix}")).ok_or("a file is missing")
    };
    let mut out = table["unix_time"].as_u64().ok_or("no time")?.to_be_bytes().to_vec();
    number(&mut out, tests.len())?;
    for test in tests {
        let texts = |key: &str| -> Vec<&str> {
            test[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
        };
        item(&mut out, test["id"].as_str().ok_or("a test without a name")?.as_bytes())?;
        let flags = [
            test["initial_explicit_policy"] == true,
            test["initial_policy_mapping_inhibit"] == true,
            test["initial_any_policy_inhibit"] == true,
            test["expect"] == "valid",
        ];
        out.push(flags.iter().fold(0, |bits, &flag| bits << 1 | u8::from(flag)));
        let anchor = test["trust_anchor"].as_str().ok_or("a test without an anchor")?;
        item(&mut out, &file("certs", anchor)?)?;
        let chain = texts("chain");
        let certificates = chain.into_iter().rev().chain(texts("crl_issuer_certs"));
        list(&mut out, certificates.map(|name| file("certs", name)).collect::<Result<_, _>>()?)?;
        let crls = texts("crls").into_iter().map(|name| file("crls", name));
        list(&mut out, crls.collect::<Result<_, _>>()?)?;
        for key in ["initial_policy_set", "expect_user_policies"] {
            let contents = texts(key).into_iter().map(|dotted| der::oid(dotted)[2..].to_vec());
            list(&mut out, contents.collect())?;
        }
    }
    std::io::stdout().write_all(&out)?;
    Ok(())
}

fn number(out: &mut Vec<u8>, number: usize) -> Result<(), std::num::TryFromIntError> {
    out.extend_from_slice(&u32::try_from(number)?.to_be_bytes());
    Ok(())
}

fn item(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), std::num::TryFromIntError> {
    number(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

fn list(out: &mut Vec<u8>, items: Vec<Vec<u8>>) -> Result<(), std::num::TryFromIntError> {
    number(out, items.len())?;
    items.iter().try_for_each(|bytes| item(out, bytes))
}
