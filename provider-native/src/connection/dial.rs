//! WebTransport: who to connect to, and how.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::timeout;
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::{BULK_STREAMS_MAX, SESSION_IDLE_MS};
use wtransport::endpoint::endpoint_side::Client;
use wtransport::quinn::{IdleTimeout, TransportConfig};
use wtransport::tls::Sha256Digest;
use wtransport::{ClientConfig, Connection, Endpoint, VarInt};

use crate::broker::{CertificateHash, Transport};

/// How often a silent connection gives a sign of life, below the session's own:
/// keeps the paths of address translators open.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// Socket buffers: with the system's default, bulk data gets lost in bursts.
const SOCKET_BYTES: usize = 4 * 1024 * 1024;
/// Streams of HTTP/3 itself, besides those of bulk data.
const HTTP3_STREAMS: u32 = 8;

pub(super) async fn dial(
    transport: &Transport,
    patience: Duration,
) -> anyhow::Result<(Endpoint<Client>, Connection)> {
    let socket = bind(&transport.url).context("no UDP socket")?;
    let builder = ClientConfig::builder().with_bind_socket(socket);
    let hashes = hashes(&transport.certificate_hashes)?;
    let builder = if transport.certificate_hashes.is_empty() {
        builder.with_native_certs()
    } else {
        builder.with_server_certificate_hashes(hashes)
    };
    let mut config = builder.build();
    config.quic_config_mut().transport_config(Arc::new(quic()?));
    let endpoint = Endpoint::client(config).context("no UDP endpoint")?;
    let connecting = endpoint.connect(&transport.url);
    let connected = timeout(patience, connecting).await;
    let connection = connected
        .map_err(anyhow::Error::from)
        .and_then(|connected| connected.map_err(Into::into))
        .with_context(|| format!("no WebTransport connection to {}", transport.url))?;
    Ok((endpoint, connection))
}

fn quic() -> anyhow::Result<TransportConfig> {
    let mut quic = TransportConfig::default();
    let idle = IdleTimeout::try_from(Duration::from_millis(SESSION_IDLE_MS))?;
    quic.max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
        // The tables for streams are made for as many as are permitted.
        .max_concurrent_uni_streams((BULK_STREAMS_MAX + HTTP3_STREAMS).into())
        .max_concurrent_bidi_streams(VarInt::from_u32(1).into_inner().try_into()?);
    Ok(quic)
}

/// The digests of certificates that are understood.
fn hashes(hashes: &[CertificateHash]) -> anyhow::Result<Vec<Sha256Digest>> {
    let understood = hashes
        .iter()
        .filter(|hash| hash.algorithm.eq_ignore_ascii_case("sha-256"));
    let parsed: Result<Vec<_>, _> = understood
        .map(|hash| format!("sha256:{}", hash.value).parse::<Digest>())
        .map(|digest| digest.map(|digest| Sha256Digest::new(digest.0)))
        .collect();
    let parsed = parsed.context("a certificate hash of the broker's is malformed")?;
    if parsed.is_empty() && !hashes.is_empty() {
        bail!("none of the broker's certificate hashes is SHA-256");
    }
    Ok(parsed)
}

/// A socket of the family that the address needs; for a name, one for both, if
/// the machine has both.
fn bind(url: &str) -> std::io::Result<UdpSocket> {
    let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or(authority);
    let families = match authority.parse::<SocketAddr>() {
        Ok(address) if address.is_ipv4() => [v4, v4],
        _ if authority.parse::<Ipv4Addr>().is_ok() => [v4, v4],
        Ok(_) => [v6, v6],
        Err(_) => [v6, v4],
    };
    let bind = |ip| UdpSocket::bind(SocketAddr::new(ip, 0));
    let socket = bind(families[0]).or_else(|_| bind(families[1]))?;
    for result in [
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BYTES),
        rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BYTES),
    ] {
        if let Err(error) = result {
            tracing::debug!(%error, "the socket's buffers stay as they are");
        }
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_that_of_the_address() {
        let family = |url| bind(url).unwrap().local_addr().unwrap().is_ipv4();
        assert!(family("https://127.0.0.1:4443/wasipool/1"));
        assert!(family("https://10.1.2.3/wasipool/1"));
    }

    #[test]
    fn hashes_are_parsed_and_unknown_ones_left_out() {
        let hash = |algorithm: &str, value: String| CertificateHash {
            algorithm: algorithm.to_owned(),
            value,
        };
        let known = hash("sha-256", "ab".repeat(32));
        let unknown = hash("sha-512", "cd".repeat(64));
        let parsed = hashes(&[known.clone(), unknown.clone()]).unwrap();
        assert_eq!(parsed, [Sha256Digest::new([0xab; 32])]);
        assert_eq!(hashes(&[]).unwrap(), []);
        hashes(&[unknown]).unwrap_err();
        hashes(&[hash("sha-256", "ab".into()), known]).unwrap_err();
    }
}
