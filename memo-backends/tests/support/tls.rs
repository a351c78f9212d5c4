//! Certificates made on the spot, and a server that shows them.

use super::server::Server;
use super::server_with;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// An authority that signs certificates for 127.0.0.1 and localhost.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "memokit's tests");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, folder }
    }

    pub(crate) fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names or addresses.
    pub(crate) fn sign(&self, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// The settings of a server that shows a certificate for these names, and asks clients for one or not.
    pub(crate) fn settings(&self, names: &[&str], ask_clients: bool) -> Vec<String> {
        let Pair { certificate, key } = self.sign(names);
        let write = |name: &str, text: &str| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (certificate, key) = (write("server.pem", &certificate), write("server.key", &key));
        let authority = self.folder.path().join("ca.pem").display().to_string();
        let ask = if ask_clients { "yes" } else { "no" };
        let settings = [
            ["--tls-cert-file", &certificate],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &authority],
            ["--tls-auth-clients", ask],
        ];
        settings.concat().into_iter().map(str::to_owned).collect()
    }

    /// A server that shows a certificate for these names; its port for TLS, beside the one without.
    pub(crate) fn server(&self, names: &[&str], ask_clients: bool) -> (Server, u16) {
        let mut settings = self.settings(names, ask_clients);
        settings.extend(["--tls-port".to_owned(), "{port}".to_owned()]);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let server = server_with(&settings);
        let port = server.second_port();
        (server, port)
    }
}
