//! What [`Secret`] promises.

mod common;

use adit_platform::Secret;
use adit_testkit::rng::SeededRng;
use common::BrokenRng;

#[test]
fn debug_prints_the_length_and_no_byte() {
    let secret = Secret::copy_from(&[0xab, 0xcd, 0xef]);
    assert_eq!(format!("{secret:?}"), "Secret(3 bytes)");
    assert_eq!(format!("{secret:#?}"), "Secret(3 bytes)");
}

#[test]
fn equality_is_of_content_and_length() {
    let secret = Secret::copy_from(b"abc");
    assert_eq!(secret, Secret::from(b"abc".to_vec()));
    assert_ne!(secret, Secret::copy_from(b"abd"));
    assert_ne!(secret, Secret::copy_from(b"ab"));
    assert_ne!(secret, Secret::copy_from(b""));
}

#[test]
fn every_way_of_making_one_keeps_the_bytes() {
    let mut spare = Vec::with_capacity(100);
    spare.extend_from_slice(b"abc");
    for secret in [
        Secret::copy_from(b"abc"),
        Secret::from(b"abc".to_vec()),
        Secret::from(spare),
        Secret::build(3, |out| out.copy_from_slice(b"abc")),
        Secret::copy_from(b"abc").duplicate(),
    ] {
        assert_eq!((secret.expose(), secret.len(), secret.is_empty()), (&b"abc"[..], 3, false));
    }
    assert!(Secret::copy_from(b"").is_empty());
}

#[test]
fn random_secrets_come_from_the_source_or_not_at_all() {
    let secret = Secret::random(40, &mut SeededRng::new(1)).unwrap();
    assert_eq!(secret.expose(), SeededRng::new(1).bytes(40));
    assert!(Secret::random(40, &mut BrokenRng).is_err());
}
