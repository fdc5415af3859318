//! The configuration files of the examples: whatever is wrong is refused with its line and the reason.

#[path = "../examples/client/config.rs"]
#[expect(dead_code, reason = "the examples use all of it")]
mod client;
#[path = "../examples/common/mod.rs"]
#[expect(dead_code, reason = "the examples use all of it")]
mod common;
#[path = "../examples/gateway/config.rs"]
#[expect(dead_code, reason = "the examples use all of it")]
mod gateway;

use std::time::Duration;

use adit::{Aggregation, ClientProof, Fragmentation, GatewayProof, Pace, Staple};
use adit_ikev2::Identity;
use adit_platform::kex::KexAlgorithm;
use adit_platform::simd::PROVIDER;
use adit_testkit::pki::{Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use common::file::File;

const CLIENT: &str = r#"
[gateway]
address = "192.0.2.1"
id = "gw.lab.test"
psk = "shared"

[client]
id = "alice@lab.test"
psk = "shared"
"#;

const GATEWAY: &str = r#"
[gateway]
id = "gw.lab.test"

[[clients.psk]]
id = "alice@lab.test"
secret = "shared"

[pool]
addresses = ["10.99.0.0/24"]
"#;

fn client(text: &str) -> Result<client::Settings, String> {
    client::settings(&File::from_text(text), &PROVIDER).map_err(|error| error.to_string())
}

fn gateway(text: &str) -> Result<gateway::Settings, String> {
    gateway::settings(&File::from_text(text), &PROVIDER).map_err(|error| error.to_string())
}

/// `text` with `from`, which occurs once in it, replaced must be refused on a line of `to`.
#[track_caller]
fn refused<T>(
    read: impl Fn(&str) -> Result<T, String>,
    text: &str,
    from: &str,
    to: &str,
    reason: &str,
) {
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {text}");
    let line = text[..text.find(from).unwrap()].matches('\n').count() + 1;
    let text = text.replace(from, to);
    let Err(error) = read(&text) else { panic!("accepted: {text}") };
    assert!(error.contains(reason), "{reason:?} is missing in:\n{error}");
    let mut lines = line..=line + to.matches('\n').count();
    let named = lines.any(|line| error.starts_with(&format!("test.toml:{line}:")));
    assert!(named, "not on the line that is wrong:\n{error}");
}

#[test]
fn the_least_that_works() {
    let settings = client(CLIENT).unwrap();
    assert_eq!(settings.config.gateway, "192.0.2.1:500".parse().unwrap());
    assert_eq!(settings.config.local, "0.0.0.0:500".parse().unwrap());
    assert_eq!(settings.config.gateway_id, Identity::fqdn("gw.lab.test"));
    assert_eq!(settings.config.id, Identity::email("alice@lab.test"));
    assert!(matches!(&settings.config.gateway_proof, GatewayProof::SharedSecret(_)));
    assert!(matches!(&settings.config.proof, ClientProof::SharedSecret(_)));
    assert_eq!((settings.device.as_str(), settings.mtu), ("adit1", 1400));

    let settings = gateway(GATEWAY).unwrap();
    assert_eq!(settings.listen.len(), 2);
    assert_eq!(settings.config.limits, adit::Limits::default());
    assert_eq!(settings.config.clients.shared_secrets.len(), 1);
    assert_eq!((settings.device.as_str(), settings.mtu), ("adit0", 1400));
}

#[test]
fn settings_arrive() {
    let settings = client(
        r#"
        [gateway]
        address = "2001:db8::1"
        port = 1500
        nat_t_port = 14500
        id = "2001:db8::1"
        psk = "theirs"
        [client]
        id = "alice"
        user = "alice"
        password = "wonderland"
        [listen]
        port = 0
        nat_t_port = 0
        [tunnel]
        mtu = 1280
        subnets = ["10.0.0.0/8"]
        [path]
        mtu = 1492
        minimum = 1280
        fragmentation = "outer"
        discover = false
        [aggregation]
        rate = 8_000_000
        congestion_control = true
        size = 1000
        required = true
        [ike]
        proposals = ["aes256gcm16-prfsha384-ecp384"]
        rekey = "90s"
        child_rekey = "5m"
        liveness = "10s"
        fragment_size = 576
        cookies = "always"
        signatures = "legacy"
        "#,
    )
    .unwrap();
    let config = &settings.config;
    assert_eq!(config.gateway, "[2001:db8::1]:1500".parse().unwrap());
    assert_eq!(config.gateway_nat_t_port, 14500);
    assert_eq!(config.local, "[::]:0".parse().unwrap());
    assert_eq!(config.gateway_id, Identity::address("2001:db8::1".parse().unwrap()));
    assert!(matches!(&config.proof, ClientProof::Password { password: Some(_), .. }));
    assert_eq!(config.subnets, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(config.policy.ike_proposals[0].key_exchanges, [KexAlgorithm::P384]);
    assert_eq!(config.policy.ike_lifetime.soft, Some(Duration::from_secs(90)));
    assert_eq!(config.policy.child_lifetime.soft, Some(Duration::from_secs(300)));
    assert_eq!(config.policy.liveness_interval, Some(Duration::from_secs(10)));
    assert_eq!(config.endpoint.fragment_size, 576);
    assert_eq!(config.endpoint.limits.cookie_threshold, 0);
    assert!(!config.endpoint.signature_authentication);
    assert_eq!(settings.mtu, 1280);
    let path = config.policy.path_mtu;
    assert_eq!((path.link, path.minimum, path.discover), (1492, 1280, false));
    assert_eq!(path.fragmentation, Fragmentation::Outer);
    let expected = Aggregation { required: true, ..Aggregation::up_to(1000, 8_000_000) };
    assert_eq!(config.policy.aggregation, Some(expected));
    assert_eq!(expected.pace, Pace::Constant { interval: Duration::from_millis(1) });
}

#[test]
fn the_samples_are_refused_for_nothing_but_their_missing_files() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/config/");
    let read = |name: &str| std::fs::read_to_string(format!("{samples}{name}")).unwrap();
    let error = gateway(&read("gateway.toml")).err().expect("its certificates do not exist");
    assert!(error.contains("gateway.pem") && error.contains("No such file"), "{error}");
    let error = client(&read("client.toml")).err().expect("its certificates do not exist");
    assert!(error.contains("ca.pem") && error.contains("No such file"), "{error}");
}

#[test]
fn a_wrong_client_is_refused_with_line_and_reason() {
    let r = |from: &str, to: &str, reason: &str| refused(client, CLIENT, from, to, reason);
    r("[client]", "[clients]", "unknown field `clients`");
    r("id = \"alice@lab.test\"", "ids = \"alice@lab.test\"", "unknown field `ids`");
    r("\"192.0.2.1\"", "7", "invalid type");
    r("\"gw.lab.test\"", "\"gw lab\"", "a host name");
    r("[client]", "[ike]\nproposals = [\"aes256gcm61-x25519\"]\n[client]", "\"aes256gcm61\"");
    r("[client]", "[ike]\nrekey = \"4 h\"\n[client]", "no duration");
    r("[client]", "[ike]\nchild_rekey = \"0s\"\n[client]", "longer than nothing");
    r("[client]", "[ike]\nfragment_size = 20\n[client]", "256 to 65000");
    r("[client]", "[ike]\nsignatures = \"none\"\n[client]", "\"legacy\"");
    r("[client]", "[tunnel]\nmtu = 100\n[client]", "1280 to 9000");
    r("[client]", "[path]\nmtu = 500\n[client]", "576 to 65535");
    r("[client]", "[aggregation]\nrate = 0\n[client]", "bits per second");
    let why = "needs the highest rate";
    r("[client]", "[aggregation]\ncongestion_control = true\n[client]", why);
    r("[client]", "[aggregation]\nsize = 9\n[client]", "256 to 65535");
    r("[client]", "[aggregation]\nrate = 20000\nwait = \"1ms\"\n[client]", "wait for no others");
    r("[client]", "[path]\nfragmentation = \"both\"\n[client]", "\"outer\"");
    r("[client]", "[tunnel]\nsubnets = [\"10.0.0.0/33\"]\n[client]", "no subnet");
    r("[client]", "[tunnel]\ndevice = \"a-name-too-long-for-it\"\n[client]", "1 to 15 bytes");
    let ours = "id = \"alice@lab.test\"\npsk = \"shared\"";
    r(ours, "id = \"alice@lab.test\"\npsk = \"other\"", "share one secret");
    r(ours, "id = \"alice@lab.test\"", "one of `user`, `certificate` with `key`, `psk`");
    r(ours, "id = \"alice@lab.test\"\npassword = \"a\"", "needs its `user`");
    r(ours, "id = \"alice@lab.test\"\ncertificate = \"/nowhere/a.pem\"\nkey = \"b\"", "/nowhere");
}

#[test]
fn a_wrong_gateway_is_refused_with_line_and_reason() {
    let r = |from: &str, to: &str, reason: &str| refused(gateway, GATEWAY, from, to, reason);
    let user = "[[users]]\nname = \"a\"\npassword = \"b\"\n";
    let radius = "[radius]\nservers = [{ address = \"127.0.0.1:1812\", secret = \"s\" }]\n";
    r("[pool]", &format!("{user}[pool]"), "of no use without [clients.eap]");
    r("[pool]", &format!("{radius}[pool]"), "add [clients.eap]");
    r("[pool]", &format!("[clients.eap]\n{user}{radius}[pool]"), "not both");
    r("[pool]", "[clients.eap]\n[pool]", "needs [[users]] or [radius]");
    r("[pool]", "[clients.eap]\n[[users]]\nname = \"a\"\n[pool]", "either `password` or");
    r("[pool]", "[clients.eap]\n[[users]]\nname = \"a\"\nnt_hash = \"7\"\n[pool]", "32 hexadec");
    let twice = "[[clients.psk]]\nid = \"alice@lab.test\"\nsecret = \"b\"\n[pool]";
    r("[pool]", twice, "has a secret already");
    r("[pool]", "[limits]\nconnections = 0\n[pool]", "at least 1");
    r("[pool]", "[ike]\ncookies = \"never\"\n[pool]", "\"always\"");
    r("[\"10.99.0.0/24\"]", "[\"10.99.0.0\"]", "a range like");
    r("[\"10.99.0.0/24\"]", "[]", "no addresses");
    r("[pool]", "[tunnel]\naddresses = [\"10.99.0.1\"]\n[pool]", "no subnet");
    let id = "id = \"gw.lab.test\"";
    r(id, &format!("{id}\nkey = \"a.key\""), "needs its `certificate`");
    r(id, &format!("{id}\ncertificate = \"a.pem\""), "needs its `key`");
    r(id, &format!("{id}\nocsp = \"fetch\""), "it is about a `certificate`");
}

#[test]
fn an_ocsp_response_is_read_or_fetched() {
    let directory = std::env::temp_dir().join(format!("adit-ocsp-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |name: &str, content: &[u8]| {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pem = |label: &str, der: &[u8]| {
        pem_rfc7468::encode_string(label, pem_rfc7468::LineEnding::LF, der).unwrap()
    };
    let mut rng = SeededRng::new(4806);
    let mut root = Authority::root("Root", Key::p256(&mut rng));
    let issued = root.issue(&Template::gateway("gw.lab.test"), Key::p256(&mut rng));
    let ours = pem("CERTIFICATE", &issued.certificate);
    let alone = path("alone.pem", ours.as_bytes());
    let chain = ours + &pem("CERTIFICATE", &root.certificate);
    let chain = path("chain.pem", chain.as_bytes());
    let key = path("key.pem", pem("PRIVATE KEY", issued.key.pkcs8()).as_bytes());
    let response = path("response.der", b"opaque here");
    let read = |certificate: &str, ocsp: &str| {
        let id = "id = \"gw.lab.test\"";
        let more = format!("{id}\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n{ocsp}");
        let settings = gateway(&GATEWAY.replace(id, &more))?;
        Ok(settings.config.certificate.expect("it has one").staple)
    };
    assert_eq!(read(&alone, ""), Ok(Staple::None));
    let file = Ok(Staple::Response(b"opaque here".to_vec()));
    assert_eq!(read(&alone, &format!("ocsp = \"{response}\"")), file);
    assert_eq!(read(&chain, "ocsp = \"fetch\""), Ok(Staple::Fetch));
    let error: Result<Staple, String> = read(&alone, "ocsp = \"fetch\"");
    assert!(error.unwrap_err().contains("has to follow ours"));
    assert!(read(&alone, "ocsp = \"/nowhere/a\"").unwrap_err().contains("/nowhere/a"));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_crl_of_an_intermediate_is_taken_with_its_certificate() {
    let directory = std::env::temp_dir().join(format!("adit-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |name: &str, content: &[u8]| {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut rng = SeededRng::new(1);
    let mut root = Authority::root("Root", Key::p256(&mut rng));
    let mut sub = root.intermediate(&Template::ca("Sub"), Key::p256(&mut rng));
    let crl = path("sub.crl", &sub.crl(&[7]));
    let (ca, sub) = (path("root.der", &root.certificate), path("sub.der", &sub.certificate));

    let trust = format!("ca = [{ca:?}]\ncrl = [{crl:?}]");
    let gateway_psk = "id = \"gw.lab.test\"\npsk = \"shared\"";
    let with = |trust: &str| CLIENT.replace(gateway_psk, &format!("id = \"gw.lab.test\"\n{trust}"));
    let error = client(&with(&trust)).err().expect("nobody signed this CRL");
    assert!(error.contains("sub.crl"), "{error}");
    let settings = client(&with(&format!("{trust}\nintermediates = [{sub:?}]"))).unwrap();
    let GatewayProof::Certificate(trust) = settings.config.gateway_proof else { panic!() };
    assert_eq!(trust.crls.iter().map(|crl| crl.len()).sum::<usize>(), 1);
    std::fs::remove_dir_all(directory).unwrap();
}
