//! The gateway's configuration file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use adit::adapters::eap::UserStore;
use adit::{EapServer, GatewayConfig, Limits, Staple};
use adit_eap::Credential;
use adit_platform::{Provider, Secret};
use adit_radius::ServerConfig;
use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use crate::common::aggregation::AggregationToml;
use crate::common::file::{ConfigError, File};
use crate::common::ike::{Debug, Ike, KeyLog, device, identity, mtu, net};
use crate::common::path::Path as PathToml;
use crate::common::pki::{Authorities, own};

/// What the example needs besides the library's configuration.
pub(crate) struct Settings {
    pub(crate) config: GatewayConfig,
    pub(crate) listen: Vec<IpAddr>,
    pub(crate) device: String,
    pub(crate) addresses: Vec<IpNet>,
    pub(crate) mtu: u16,
    pub(crate) key_log: Option<KeyLog>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    #[serde(default)]
    listen: Listen,
    gateway: Gateway,
    #[serde(default)]
    clients: Clients,
    #[serde(default)]
    users: Vec<User>,
    radius: Option<Spanned<Radius>>,
    pool: Pool,
    #[serde(default)]
    limits: LimitsToml,
    #[serde(default)]
    tunnel: Tunnel,
    #[serde(default)]
    path: PathToml,
    aggregation: Option<AggregationToml>,
    #[serde(default)]
    ike: Ike,
    #[serde(default)]
    debug: Debug,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Listen {
    addresses: Option<Vec<Spanned<String>>>,
    port: Option<u16>,
    nat_t_port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gateway {
    id: Spanned<String>,
    certificate: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    ocsp: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Clients {
    eap: Option<Spanned<Eap>>,
    certificate: Option<Authorities>,
    #[serde(default)]
    psk: Vec<Psk>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Eap {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Psk {
    id: Spanned<String>,
    secret: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: Spanned<String>,
    password: Option<String>,
    nt_hash: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Radius {
    servers: Vec<RadiusServer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RadiusServer {
    address: Spanned<String>,
    secret: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pool {
    addresses: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    dns: Vec<Spanned<String>>,
    subnets: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsToml {
    connections: Option<Spanned<u32>>,
    attempts_per_minute: Option<Spanned<u32>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Tunnel {
    device: Option<Spanned<String>>,
    #[serde(default)]
    addresses: Vec<Spanned<String>>,
    mtu: Option<Spanned<u16>>,
}

/// Reads and checks the file at `path`.
pub(crate) fn load(path: &Path, provider: &Provider) -> Result<Settings, ConfigError> {
    settings(&File::read(path)?, provider)
}

pub(crate) fn settings(file: &File, provider: &Provider) -> Result<Settings, ConfigError> {
    let toml: Toml = file.parse()?;
    let mut config = GatewayConfig::new(file.value(&toml.gateway.id, identity)?);
    config.endpoint.ike_port = toml.listen.port.unwrap_or(500);
    config.endpoint.nat_t_port = toml.listen.nat_t_port.unwrap_or(4500);
    config.policy = toml.ike.policy(file)?;
    config.policy.path_mtu = toml.path.policy(file)?;
    config.policy.aggregation = match &toml.aggregation {
        Some(aggregation) => Some(aggregation.policy(file)?),
        None => None,
    };
    toml.ike.apply(file, &mut config.endpoint)?;
    config.certificate = match (&toml.gateway.certificate, &toml.gateway.key) {
        (Some(certificate), Some(key)) => Some(own(file, certificate, key, provider)?),
        (None, None) => None,
        (Some(alone), None) => return Err(file.error(alone.span(), "it needs its `key`")),
        (None, Some(alone)) => return Err(file.error(alone.span(), "it needs its `certificate`")),
    };
    if let Some(ocsp) = &toml.gateway.ocsp {
        let Some(own) = &mut config.certificate else {
            return Err(file.error(ocsp.span(), "it is about a `certificate`, and there is none"));
        };
        own.staple = staple(file, ocsp, own.chain.len())?;
    }
    clients(file, &toml, &mut config, provider)?;

    config.pool = file.values(toml.pool.addresses.get_ref(), |text| {
        text.parse().map_err(|error: adit::adapters::pool::RangeError| error.to_string())
    })?;
    if config.pool.is_empty() {
        return Err(file.error(toml.pool.addresses.span(), "no addresses for clients"));
    }
    config.dns = file.values(&toml.pool.dns, address)?;
    if let Some(subnets) = &toml.pool.subnets {
        config.subnets = file.values(subnets, net)?;
    }
    config.limits = limits(file, &toml.limits)?;
    let listen = match &toml.listen.addresses {
        Some(addresses) => file.values(addresses, address)?,
        None => vec![Ipv4Addr::UNSPECIFIED.into(), std::net::Ipv6Addr::UNSPECIFIED.into()],
    };
    Ok(Settings {
        config,
        listen,
        device: device(file, toml.tunnel.device.as_ref(), "adit0")?,
        addresses: file.values(&toml.tunnel.addresses, net)?,
        mtu: mtu(file, toml.tunnel.mtu.as_ref())?,
        key_log: toml.debug.key_log(file),
    })
}

/// The OCSP response that goes along with our certificate: the word `fetch`, or a file in DER.
fn staple(file: &File, ocsp: &Spanned<String>, certificates: usize) -> Result<Staple, ConfigError> {
    match ocsp.get_ref().as_str() {
        "fetch" if certificates < 2 => {
            let reason =
                "to fetch it, the issuer's certificate has to follow ours in `certificate`";
            Err(file.error(ocsp.span(), reason))
        }
        "fetch" => Ok(Staple::Fetch),
        _ => Ok(Staple::Response(file.load(ocsp)?)),
    }
}

fn clients(
    file: &File,
    toml: &Toml,
    config: &mut GatewayConfig,
    provider: &Provider,
) -> Result<(), ConfigError> {
    if let Some(authorities) = &toml.clients.certificate {
        config.clients.certificates = Some(authorities.trust(file, provider)?);
    }
    for psk in &toml.clients.psk {
        let id = file.value(&psk.id, identity)?;
        if psk.secret.get_ref().is_empty() {
            return Err(file.error(psk.secret.span(), "a secret cannot be empty"));
        }
        let secret = Secret::copy_from(psk.secret.get_ref().as_bytes());
        if config.clients.shared_secrets.insert(id, secret).is_some() {
            return Err(file.error(psk.id.span(), "this identity has a secret already"));
        }
    }
    config.clients.eap = match (&toml.clients.eap, &toml.radius) {
        (None, None) => match toml.users.first() {
            None => None,
            Some(user) => {
                let reason = "users are of no use without [clients.eap]";
                return Err(file.error(user.name.span(), reason));
            }
        },
        (None, Some(radius)) => {
            return Err(file.error(radius.span(), "RADIUS serves EAP: add [clients.eap]"));
        }
        (Some(_), Some(radius)) if !toml.users.is_empty() => {
            let reason = "either [[users]] or [radius] checks passwords, not both";
            return Err(file.error(radius.span(), reason));
        }
        (Some(_), Some(radius)) => Some(EapServer::Radius(radius_config(file, radius.get_ref())?)),
        (Some(eap), None) => {
            if toml.users.is_empty() {
                return Err(file.error(eap.span(), "EAP needs [[users]] or [radius]"));
            }
            Some(EapServer::Local(users(file, &toml.users)?))
        }
    };
    if config.certificate.is_none()
        && (config.clients.eap.is_some() || config.clients.certificates.is_some())
    {
        let reason = "clients with EAP or certificates need a gateway with `certificate` and `key`";
        return Err(file.error(toml.gateway.id.span(), reason));
    }
    Ok(())
}

fn users(file: &File, users: &[User]) -> Result<UserStore, ConfigError> {
    let mut store = UserStore::new();
    for user in users {
        let credential = match (&user.password, &user.nt_hash) {
            (Some(password), None) => Credential::password(password),
            (None, Some(hash)) => Credential::nt_hash(file.value(hash, nt_hash)?),
            _ => {
                let reason = "a user has either `password` or `nt_hash`";
                return Err(file.error(user.name.span(), reason));
            }
        };
        store.insert(user.name.get_ref().as_bytes(), credential);
    }
    Ok(store)
}

fn radius_config(file: &File, radius: &Radius) -> Result<adit_radius::ClientConfig, ConfigError> {
    let mut servers = Vec::new();
    for server in &radius.servers {
        let address = file.value(&server.address, |text| {
            text.parse::<SocketAddr>().map_err(|_| "write ADDRESS:PORT".to_owned())
        })?;
        if server.secret.get_ref().is_empty() {
            return Err(file.error(server.secret.span(), "a secret cannot be empty"));
        }
        let secret = Secret::copy_from(server.secret.get_ref().as_bytes());
        servers.push(ServerConfig::new(address, secret));
    }
    Ok(adit_radius::ClientConfig::new(servers))
}

fn limits(file: &File, toml: &LimitsToml) -> Result<Limits, ConfigError> {
    let mut limits = Limits::default();
    for (given, limit) in [
        (&toml.connections, &mut limits.connections),
        (&toml.attempts_per_minute, &mut limits.attempts_per_minute),
    ] {
        if let Some(given) = given {
            if *given.get_ref() == 0 {
                return Err(file.error(given.span(), "a limit is at least 1"));
            }
            *limit = *given.get_ref();
        }
    }
    Ok(limits)
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no IP address"))
}

fn nt_hash(text: &str) -> Result<[u8; 16], String> {
    let wrong = || "an NT hash has 32 hexadecimal digits".to_owned();
    let mut hash = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return Err(wrong());
    }
    for (octet, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        *octet = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}
