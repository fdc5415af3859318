//! PKCS#12 and encrypted keys. The files in `pkcs12/` hold one P-256 key and its certificate. OpenSSL 3.0 made all but
//! `pbmac1`, `ber` and `no-password`, which were put together from its output: a MAC by RFC 9579, the same in BER, and
//! a MAC without a terminating zero after the (empty) password.

use adit_certval::{Certificate, Pkcs12, Pkcs12Error, Pkcs12Limits, decrypt_pkcs8};
use adit_platform::ring::PROVIDER;
use adit_testkit::mutate;

const PASSWORD: &str = "sésame";
const KEY: &[u8] = include_bytes!("pkcs12/key.pk8");
const CERTIFICATE: &[u8] = include_bytes!("pkcs12/certificate.der");

/// Name, content, and whether there is a MAC.
const FILES: [(&str, &[u8], bool); 9] = [
    ("aes256", include_bytes!("pkcs12/aes256.p12"), true),
    ("legacy-rc2-40-3des", include_bytes!("pkcs12/legacy-rc2-40-3des.p12"), true),
    ("legacy-2des-rc2-128", include_bytes!("pkcs12/legacy-2des-rc2-128.p12"), true),
    ("aes128-aes192", include_bytes!("pkcs12/aes128-aes192.p12"), true),
    ("3des-pbes2", include_bytes!("pkcs12/3des-pbes2.p12"), true),
    ("plain", include_bytes!("pkcs12/plain.p12"), true),
    ("pbmac1", include_bytes!("pkcs12/pbmac1.p12"), true),
    ("ber", include_bytes!("pkcs12/ber.p12"), true),
    ("no-mac", include_bytes!("pkcs12/no-mac.p12"), false),
];

fn open(file: &[u8], password: &str) -> Result<Pkcs12, Pkcs12Error> {
    Pkcs12::from_der(file, password, &Pkcs12Limits::default())
}

#[test]
fn every_protection_opens() {
    for (name, file, mac) in FILES {
        let content = open(file, PASSWORD).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(content.authenticated, mac, "{name}");
        let ([key], [certificate]) = (&content.keys[..], &content.certificates[..]) else {
            panic!("{name}: {content:?}")
        };
        assert_eq!(key.pkcs8.expose(), KEY, "{name}");
        assert_eq!(certificate.der, CERTIFICATE, "{name}");
        assert_eq!(content.certificate_of(key), Some(certificate), "{name}");
        assert_eq!(certificate.friendly_name.as_deref(), Some("Müller"), "{name}");
        assert_eq!(key.friendly_name.as_deref(), Some("Müller"), "{name}");
        // OpenSSL takes the SHA-1 hash of the certificate.
        assert_eq!(key.local_key_id.as_ref().map(Vec::len), Some(20), "{name}");
        let signer = PROVIDER.keys.load_pkcs8(key.pkcs8.expose()).unwrap();
        let spki = Certificate::from_der(&certificate.der).unwrap().subject_public_key_info();
        assert!(spki.ends_with(signer.public_key()), "{name}");
    }
}

#[test]
fn a_wrong_password_is_told_from_a_malformed_file() {
    for (name, file, mac) in FILES {
        for wrong in ["", "sesame", "sésame ", "SÉSAME"] {
            assert_eq!(open(file, wrong).err(), Some(Pkcs12Error::WrongPassword), "{name}");
        }
        for cut in [0, 1, 20, file.len() - 1] {
            let error = open(&file[..cut], PASSWORD).unwrap_err();
            assert!(
                matches!(error, Pkcs12Error::Malformed(e) if e.offset <= cut),
                "{name} {error}"
            );
        }
        assert!(!mac || open(file, PASSWORD).unwrap().authenticated, "{name}");
    }
}

#[test]
fn an_empty_password_is_met_in_two_forms() {
    let terminated = include_bytes!("pkcs12/empty-password.p12");
    let none = include_bytes!("pkcs12/no-password.p12");
    for file in [&terminated[..], none] {
        let content = open(file, "").unwrap();
        assert_eq!(content.keys[0].pkcs8.expose(), KEY);
        assert!(content.authenticated);
        assert_eq!(open(file, "x").err(), Some(Pkcs12Error::WrongPassword));
    }
}

#[test]
fn what_is_not_supported_is_named() {
    let unsupported = |oid: &str| Some(Pkcs12Error::Unsupported(oid.into()));
    // pbeWithSHAAnd128BitRC4
    let rc4 = include_bytes!("pkcs12/rc4.p12");
    assert_eq!(open(rc4, PASSWORD).err(), unsupported("1.2.840.113549.1.12.1.1"));
    // scrypt
    let scrypt = include_bytes!("pkcs12/key-scrypt.p8e");
    let result = decrypt_pkcs8(scrypt, PASSWORD, &Pkcs12Limits::default());
    assert_eq!(result.err(), unsupported("1.3.6.1.4.1.11591.4.11"));
}

#[test]
fn encrypted_keys_open() {
    let limits = Pkcs12Limits::default();
    for file in
        [&include_bytes!("pkcs12/key-aes256.p8e")[..], include_bytes!("pkcs12/key-3des.p8e")]
    {
        assert_eq!(decrypt_pkcs8(file, PASSWORD, &limits).unwrap().expose(), KEY);
        let wrong = decrypt_pkcs8(file, "sesame", &limits).err();
        assert_eq!(wrong, Some(Pkcs12Error::WrongPassword));
        let longer = [file, &[0]].concat();
        let error = decrypt_pkcs8(&longer, PASSWORD, &limits).unwrap_err();
        assert!(matches!(error, Pkcs12Error::Malformed(_)), "{error}");
    }
}

#[test]
fn limits_hold() {
    let (_, file, _) = FILES[0];
    let default = Pkcs12Limits::default();
    let with = |limits| Pkcs12::from_der(file, PASSWORD, &limits).err();
    // Two rounds: once for the MAC, and twice each for certificate and key, because an HMAC hashes twice.
    let exact = 2 + 2 * 2 * 2;
    assert_eq!(with(Pkcs12Limits { iterations: exact, ..default }), None);
    let less = Pkcs12Limits { iterations: exact - 1, ..default };
    assert_eq!(with(less), Some(Pkcs12Error::Limit("iterations")));
    assert_eq!(with(Pkcs12Limits { size: file.len(), ..default }), None);
    let smaller = Pkcs12Limits { size: file.len() - 1, ..default };
    assert_eq!(with(smaller), Some(Pkcs12Error::Limit("size")));
    // Two of the AuthenticatedSafe, and one in each of them.
    assert_eq!(with(Pkcs12Limits { bags: 4, ..default }), None);
    let fewer = Pkcs12Limits { bags: 3, ..default };
    assert_eq!(with(fewer), Some(Pkcs12Error::Limit("bags")));
}

/// Bent files give an answer, and with a MAC never another content.
#[test]
fn bent_files() {
    // The two of OpenSSL's default rounds and more take too long for this, and say nothing new.
    let slow = ["legacy-rc2-40-3des", "aes128-aes192"];
    let limits = Pkcs12Limits { iterations: 1_000, ..Pkcs12Limits::default() };
    for (name, file, mac) in FILES.into_iter().filter(|(name, ..)| !slow.contains(name)) {
        mutate::all(file, &mutate::der_lengths(file), 1, |input| {
            if let Ok(content) = Pkcs12::from_der(input, PASSWORD, &limits)
                && mac
                && content.authenticated
            {
                assert_eq!(content.keys.len() + content.certificates.len(), 2, "{name}");
                assert_eq!(content.keys[0].pkcs8.expose(), KEY, "{name}");
                assert_eq!(content.certificates[0].der, CERTIFICATE, "{name}");
            }
        });
    }
}

/// 30 files of the Python Cryptographic Authority and 20 of NIST PKITS (by RSA's and Entrust's tools).
#[test]
fn files_of_others() {
    let Some(files) = adit_testkit::data::archive("cert/pyca-x509-misc.tar.xz") else { return };
    let mut counts = (0, 0);
    for (name, file) in &files {
        let Some((folder, name)) = name.rsplit_once('/').filter(|(_, n)| n.ends_with(".p12"))
        else {
            continue;
        };
        let pkits = folder.ends_with("pkits-pkcs12-sample");
        let password = match name {
            _ if pkits => "password",
            "no-password.p12" => "",
            name if name.contains("-no-pwd") => "",
            name if name.contains("-pwd") => "password",
            _ => "cryptography",
        };
        if name == "java-truststore.p12" {
            // Its password is not on record with the data.
            assert_eq!(open(file, password).err(), Some(Pkcs12Error::WrongPassword));
            continue;
        }
        let content = open(file, password).unwrap_or_else(|error| panic!("{name}: {error}"));
        for certificate in &content.certificates {
            Certificate::from_der(&certificate.der).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        // What the names of the files say.
        let key = !name.contains("no-key") && !name.starts_with("no-cert-n");
        assert_eq!(content.keys.len(), usize::from(key), "{name}");
        let only_key = name == "no-cert-key-aes256cbc.p12";
        assert_eq!(content.certificates.is_empty(), only_key, "{name}");
        let names = || content.certificates.iter().filter_map(|c| c.friendly_name.as_deref());
        let numbered = |n| name.contains("name-2-3") || name.contains(&format!("name-{n}"));
        for n in ["2", "3"] {
            let named = names().any(|known| known == format!("name{n}"));
            assert_eq!(named, numbered(n) || name.contains("name-all"), "{name}");
        }
        assert_eq!(names().any(|known| !known.is_ascii()), name.contains("unicode"), "{name}");
        let counter = if pkits { &mut counts.1 } else { &mut counts.0 };
        *counter += 1;
        if pkits {
            assert!(content.certificate_of(&content.keys[0]).is_some(), "{name}");
        }
    }
    assert_eq!(counts, (30, 20));
}
