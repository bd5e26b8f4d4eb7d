//! The certificate of the server: read from files, read again when they change, kept where the new ones are no good.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::sha::Sha256;
use openssl::ssl::{AlpnError, SslAcceptor, SslMethod, select_next_proto};
use openssl::x509::X509;

/// How often the files are read again, and how long they must stay as they are before they count.
const LOOK: Duration = Duration::from_secs(2);
const SETTLE: Duration = Duration::from_millis(300);

/// Why no certificate can be made of its files, by what a person can do about it.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read: mount it, or let the process read it.
    #[error("{} cannot be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no certificate in its file: write the chain in PEM, the server's own first.
    #[error("{} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// There is no key in its file: write it in PEM, without a password.
    #[error("{} holds no private key in PEM that needs no password", .0.display())]
    NoKey(PathBuf),
    /// The key is of another certificate: write the pair that belongs together.
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    NotAPair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// OpenSSL refuses the pair, as it does with keys that are too short.
    #[error("OpenSSL does not take the certificate in {} ({cause})", certificate.display())]
    Refused {
        /// The file of the certificate.
        certificate: PathBuf,
        /// What OpenSSL says.
        cause: ErrorStack,
    },
}

/// The certificate that new connections get. Cheap to clone; clones are the same certificate.
#[derive(Clone)]
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    held: Arc<RwLock<Held>>,
}

struct Held {
    acceptor: SslAcceptor,
    /// A hash of both files: of those in use, and of those that were refused.
    looked_at: [u8; 32],
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("certificate", &self.certificate).field("key", &self.key).finish()
    }
}

/// What stands in both files.
struct Read {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Read {
    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.certificate.len().to_be_bytes());
        hash.update(&self.certificate);
        hash.update(&self.key);
        hash.finish()
    }
}

impl Certificate {
    /// The certificate of two files in PEM: the chain, the server's own first, and its key.
    ///
    /// # Errors
    /// [`CertificateError`] says what to do.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, CertificateError> {
        let read = read(&certificate, &key)?;
        let (acceptor, _) = acceptor(&read, &certificate, &key)?;
        let held = Arc::new(RwLock::new(Held { acceptor, looked_at: read.hash() }));
        Ok(Self { certificate, key, held })
    }

    /// What makes a connection secure, with the certificate as it is now.
    pub(super) fn acceptor(&self) -> SslAcceptor {
        self.held.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }

    /// Reads the files again and again; never returns.
    pub(super) async fn follow(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look().await;
        }
    }

    /// Reads the files again, and takes what is new in them.
    pub(super) async fn look(&self) {
        let Some(changed) = self.changed().await else { return };
        // Files that are being written look different a moment later.
        tokio::time::sleep(SETTLE).await;
        if let Some(settled) = self.changed().await.filter(|settled| settled.hash() == changed.hash()) {
            self.take(&settled);
        }
    }

    /// What stands in the files, where that is new. Files that are missing for a moment are no news.
    async fn changed(&self) -> Option<Read> {
        let (certificate, key) = (self.certificate.to_owned(), self.key.to_owned());
        let read = tokio::task::spawn_blocking(move || read(&certificate, &key)).await.ok()?.ok()?;
        let known = self.held.read().unwrap_or_else(PoisonError::into_inner).looked_at;
        (read.hash() != known).then_some(read)
    }

    fn take(&self, read: &Read) {
        let made = acceptor(read, &self.certificate, &self.key);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.looked_at = read.hash();
        match made {
            Ok((acceptor, until)) => {
                held.acceptor = acceptor;
                tracing::info!(%until, "new connections get the new certificate");
            }
            Err(error) => tracing::warn!("the certificate in use stays, for the new one is no good: {error}"),
        }
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Read, CertificateError> {
    let read = |file: &Path| {
        std::fs::read(file).map_err(|source| CertificateError::Unreadable { file: file.to_owned(), source })
    };
    Ok(Read { certificate: read(certificate)?, key: read(key)? })
}

/// What secures connections with a certificate, and when that ends.
fn acceptor(read: &Read, certificate: &Path, key: &Path) -> Result<(SslAcceptor, String), CertificateError> {
    let chain = X509::stack_from_pem(&read.certificate).unwrap_or_default();
    let Some((own, others)) = chain.split_first() else {
        return Err(CertificateError::NoCertificate(certificate.to_owned()));
    };
    // A key with a password would be asked for at a terminal; an empty one is an answer.
    let private = PKey::private_key_from_pem_callback(&read.key, |_| Ok(0));
    let private = private.map_err(|_| CertificateError::NoKey(key.to_owned()))?;
    if !own.public_key().is_ok_and(|public| public.public_eq(&private)) {
        return Err(CertificateError::NotAPair { certificate: certificate.to_owned(), key: key.to_owned() });
    }
    let made = || -> Result<SslAcceptor, ErrorStack> {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_certificate(own)?;
        others.iter().try_for_each(|other| builder.add_extra_chain_cert(other.clone()))?;
        builder.set_private_key(&private)?;
        builder.check_private_key()?;
        builder
            .set_alpn_select_callback(|_, offered| select_next_proto(b"\x08http/1.1", offered).ok_or(AlpnError::NOACK));
        Ok(builder.build())
    };
    let refused = |cause| CertificateError::Refused { certificate: certificate.to_owned(), cause };
    let acceptor = made().map_err(refused)?;
    let until = own.not_after();
    if Asn1Time::days_from_now(0).is_ok_and(|now| until < now) {
        tracing::warn!(%until, "the certificate has expired: clients will refuse it");
    }
    Ok((acceptor, until.to_string()))
}
