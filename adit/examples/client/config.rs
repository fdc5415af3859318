//! The client's configuration file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use adit::{ClientConfig, ClientProof, GatewayProof};
use adit_platform::{Provider, Secret};
use serde::Deserialize;
use toml::Spanned;

use crate::common::aggregation::AggregationToml;
use crate::common::file::{ConfigError, File};
use crate::common::ike::{Debug, Ike, KeyLog, device, identity, mtu, net};
use crate::common::path::Path as PathToml;
use crate::common::pki::{Authorities, own};

/// What the example needs besides the library's configuration.
pub(crate) struct Settings {
    pub(crate) config: ClientConfig,
    pub(crate) device: String,
    pub(crate) mtu: u16,
    pub(crate) resolv_conf: Option<PathBuf>,
    pub(crate) key_log: Option<KeyLog>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    gateway: Gateway,
    client: Client,
    #[serde(default)]
    listen: Listen,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gateway {
    address: Spanned<String>,
    port: Option<u16>,
    nat_t_port: Option<u16>,
    id: Spanned<String>,
    ca: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    intermediates: Vec<Spanned<String>>,
    #[serde(default)]
    crl: Vec<Spanned<String>>,
    revocation: Option<Spanned<String>>,
    fetch_crls: Option<bool>,
    psk: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    id: Spanned<String>,
    user: Option<Spanned<String>>,
    password: Option<Spanned<String>>,
    certificate: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    psk: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Listen {
    address: Option<Spanned<String>>,
    port: Option<u16>,
    nat_t_port: Option<u16>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Tunnel {
    device: Option<Spanned<String>>,
    mtu: Option<Spanned<u16>>,
    subnets: Option<Vec<Spanned<String>>>,
    resolv_conf: Option<String>,
}

/// Reads and checks the file at `path`.
pub(crate) fn load(path: &Path, provider: &Provider) -> Result<Settings, ConfigError> {
    settings(&File::read(path)?, provider)
}

pub(crate) fn settings(file: &File, provider: &Provider) -> Result<Settings, ConfigError> {
    let mut toml: Toml = file.parse()?;
    let port = toml.gateway.port.unwrap_or(500);
    let gateway = file.value(&toml.gateway.address, |host| resolve(host, port))?;
    let any: IpAddr = match gateway {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let local = match &toml.listen.address {
        None => any,
        Some(address) => {
            let ip: IpAddr =
                file.value(address, |text| text.parse().map_err(|_| "no IP address".to_owned()))?;
            // The unspecified address of the other family is what the sample file has.
            if ip.is_unspecified() { any } else { ip }
        }
    };
    if let (Some(theirs), Some(ours)) = (&toml.gateway.psk, &toml.client.psk)
        && theirs.get_ref() != ours.get_ref()
    {
        return Err(file.error(ours.span(), "both ends share one secret, and this is another"));
    }
    let mut config = ClientConfig::new(
        SocketAddr::new(local, toml.listen.port.unwrap_or(500)),
        gateway,
        file.value(&toml.gateway.id, identity)?,
        gateway_proof(file, &mut toml.gateway, provider)?,
        file.value(&toml.client.id, identity)?,
        client_proof(file, &toml.client, provider)?,
    );
    config.gateway_nat_t_port = toml.gateway.nat_t_port.unwrap_or(4500);
    config.endpoint.nat_t_port = toml.listen.nat_t_port.unwrap_or(4500);
    config.policy = toml.ike.policy(file)?;
    config.policy.path_mtu = toml.path.policy(file)?;
    config.policy.aggregation = match &toml.aggregation {
        Some(aggregation) => Some(aggregation.policy(file)?),
        None => None,
    };
    toml.ike.apply(file, &mut config.endpoint)?;
    if let Some(subnets) = &toml.tunnel.subnets {
        config.subnets = file.values(subnets, net)?;
    }
    Ok(Settings {
        config,
        device: device(file, toml.tunnel.device.as_ref(), "adit1")?,
        mtu: mtu(file, toml.tunnel.mtu.as_ref())?,
        resolv_conf: toml.tunnel.resolv_conf.map(|name| file.beside(&name)),
        key_log: toml.debug.key_log(file),
    })
}

fn gateway_proof(
    file: &File,
    gateway: &mut Gateway,
    provider: &Provider,
) -> Result<GatewayProof, ConfigError> {
    match (gateway.ca.take(), &gateway.psk) {
        (Some(ca), None) => {
            let authorities = Authorities {
                ca,
                intermediates: std::mem::take(&mut gateway.intermediates),
                crl: std::mem::take(&mut gateway.crl),
                revocation: gateway.revocation.take(),
                fetch_crls: gateway.fetch_crls,
            };
            Ok(GatewayProof::Certificate(Box::new(authorities.trust(file, provider)?)))
        }
        (None, Some(psk)) => Ok(GatewayProof::SharedSecret(secret(file, psk)?)),
        _ => {
            Err(file.error(gateway.id.span(), "the gateway proves itself by either `ca` or `psk`"))
        }
    }
}

fn client_proof(
    file: &File,
    client: &Client,
    provider: &Provider,
) -> Result<ClientProof, ConfigError> {
    if let (Some(password), None) = (&client.password, &client.user) {
        return Err(file.error(password.span(), "a password needs its `user`"));
    }
    match (&client.user, &client.certificate, &client.key, &client.psk) {
        (Some(user), None, None, None) => {
            let password = client.password.as_ref();
            Ok(ClientProof::Password {
                user: user.get_ref().clone(),
                password: password.map(|text| Secret::copy_from(text.get_ref().as_bytes())),
            })
        }
        (None, Some(certificate), Some(key), None) => {
            Ok(ClientProof::Certificate(own(file, certificate, key, provider)?))
        }
        (None, None, None, Some(psk)) => Ok(ClientProof::SharedSecret(secret(file, psk)?)),
        _ => {
            let reason =
                "the client proves itself by one of `user`, `certificate` with `key`, `psk`";
            Err(file.error(client.id.span(), reason))
        }
    }
}

fn secret(file: &File, text: &Spanned<String>) -> Result<Secret, ConfigError> {
    if text.get_ref().is_empty() {
        return Err(file.error(text.span(), "a secret cannot be empty"));
    }
    Ok(Secret::copy_from(text.get_ref().as_bytes()))
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, String> {
    let mut addresses =
        (host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    addresses.next().ok_or_else(|| format!("{host} has no address"))
}
