//! TLS: whom to trust, and who we are.
//!
//! The provider of cryptography is given to each configuration and never made the process's own: a program may have
//! chosen another, or none so far.

#[cfg(feature = "redis-tls")]
pub(super) use self::with_rustls::Tls;

/// No value of it exists: without the feature no address asks for TLS.
#[cfg(not(feature = "redis-tls"))]
#[derive(Clone)]
pub(super) enum Tls {}

#[cfg(feature = "redis-tls")]
mod with_rustls {
    use crate::redis::config::{wrong, wrong_because};
    use crate::redis::error::Failure;
    use memo_core::Error;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use std::sync::Arc;

    /// The settings of all TLS connections of a cache.
    #[derive(Clone)]
    pub(in crate::redis) struct Tls {
        pub(in crate::redis) config: Arc<ClientConfig>,
    }

    impl Tls {
        /// Trusts the authorities in `roots`, else those that this system trusts. `client` is our own certificate and
        /// its key. All are PEM.
        pub(in crate::redis) fn new(roots: Option<&[u8]>, client: Option<(&[u8], &[u8])>) -> Result<Tls, Error> {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| wrong_because("this build of rustls lacks what TLS needs", error))?
                .with_root_certificates(match roots {
                    Some(pem) => given(pem)?,
                    None => of_the_system()?,
                });
            let config = match client {
                None => config.with_no_client_auth(),
                Some((certificate, key)) => {
                    let chain = certificates(certificate, "the client certificate")?;
                    // The parser's error could show a part of the key.
                    let key = PrivateKeyDer::from_pem_slice(key)
                        .map_err(|_| wrong("the client key is no private key in PEM"))?;
                    config
                        .with_client_auth_cert(chain, key)
                        .map_err(|error| wrong_because("the client certificate and its key can't be used", error))?
                }
            };
            Ok(Tls { config: Arc::new(config) })
        }
    }

    /// The name the server's certificate must have.
    pub(in crate::redis) fn server_name(host: &str) -> Result<ServerName<'static>, Failure> {
        ServerName::try_from(host.to_owned()).map_err(|_| Failure::Tls(format!("{host} is no name a certificate has")))
    }

    fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.map_err(|error| wrong_because(&format!("{what}: no PEM"), error))?;
        if found.is_empty() { Err(wrong(&format!("{what}: no certificate in the PEM"))) } else { Ok(found) }
    }

    fn given(pem: &[u8]) -> Result<RootCertStore, Error> {
        let mut store = RootCertStore::empty();
        for certificate in certificates(pem, "the root certificates")? {
            store
                .add(certificate)
                .map_err(|error| wrong_because("a root certificate is none that can be trusted", error))?;
        }
        Ok(store)
    }

    fn of_the_system() -> Result<RootCertStore, Error> {
        let mut store = RootCertStore::empty();
        // Some of a system's certificates may be too old for any use; one good one is enough to go on.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err(wrong("this system trusts no certificate authority; give one to `root_certificates`"));
        }
        Ok(store)
    }
}

#[cfg(feature = "redis-tls")]
pub(super) use self::with_rustls::server_name;
