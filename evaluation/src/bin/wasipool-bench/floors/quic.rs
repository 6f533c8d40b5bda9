//! QUIC alone, as quinn is without WebTransport: bytes go to another process and
//! come back.

use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wtransport::Identity;
use wtransport::quinn::rustls::RootCertStore;
use wtransport::quinn::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use wtransport::quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, ServerConfig, TokioRuntime,
};

use super::echo::{give_back, socket};

/// Whom the certificate is for.
const NAME: &str = "localhost";

/// Gives back on each stream what comes on it; says where, and its certificate.
///
/// # Errors
/// If it can't listen.
pub(super) async fn serve(ready: impl FnOnce(&str)) -> anyhow::Result<()> {
    let identity = Identity::self_signed([NAME])?;
    let certificate = identity.certificate_chain().as_slice()[0].der().to_vec();
    let key = PrivatePkcs8KeyDer::from(identity.private_key().secret_der().to_vec());
    let said = URL_SAFE_NO_PAD.encode(&certificate);
    let config = ServerConfig::with_single_cert(vec![certificate.into()], key.into())?;
    let endpoint = Endpoint::new(
        EndpointConfig::default(),
        Some(config),
        socket()?,
        Arc::new(TokioRuntime),
    )?;
    ready(&format!("{}#{said}", endpoint.local_addr()?));
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move { echo(&incoming.await?).await });
    }
    Ok(())
}

async fn echo(connection: &Connection) -> anyhow::Result<()> {
    loop {
        let (sender, receiver) = connection.accept_bi().await?;
        tokio::spawn(give_back(sender, receiver));
    }
}

/// Connects to what [`serve`] said.
///
/// # Errors
/// If that is not possible.
pub(crate) async fn connect(address: &str) -> anyhow::Result<Connection> {
    let (address, certificate) = address.split_once('#').context("no certificate")?;
    let certificate = CertificateDer::from(URL_SAFE_NO_PAD.decode(certificate)?);
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let endpoint = Endpoint::new(
        EndpointConfig::default(),
        None,
        socket()?,
        Arc::new(TokioRuntime),
    )?;
    let config = ClientConfig::with_root_certificates(Arc::new(roots))?;
    Ok(endpoint
        .connect_with(config, address.parse()?, NAME)?
        .await?)
}
