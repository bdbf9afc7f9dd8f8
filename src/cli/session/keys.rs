//! Where keys come from, as the configuration says.

use crate::cli::Failure;
use crate::config::{self, Config};
use crate::io::key::{KeySource, Kms, KmsCredentials, LocalKey, Passphrase, Seal};
use std::path::{Path, PathBuf};

/// Name under which a container is told where its credentials are; the address is no secret outside of it.
const CONTAINER_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";

/// Where the session key comes from.
pub(super) fn key_source(config: &Config) -> Result<KeySource, Failure> {
    let passphrase = |passphrase: &config::Passphrase| match passphrase {
        config::Passphrase::File(path) => Passphrase::File(absolute(path)),
        config::Passphrase::Descriptor(number) => Passphrase::Descriptor(*number),
    };
    let seal = match &config.wallet.seal {
        config::KeySeal::Plain => Seal::Plain,
        config::KeySeal::Keystore(words) => Seal::Keystore(passphrase(words)),
        config::KeySeal::Age(words) => Seal::Age(passphrase(words)),
        config::KeySeal::Kms(kms) => Seal::Kms(Kms {
            region: kms.region.clone(),
            key_arn: kms.key_arn.clone(),
            endpoint: kms.endpoint.as_str().to_owned(),
            credentials: lender(&kms.credentials)?,
            timeout_ms: kms.timeout_ms,
        }),
    };
    Ok(KeySource { file: absolute(&config.wallet.session_key_file), seal })
}

fn lender(credentials: &config::KmsCredentials) -> Result<KmsCredentials, Failure> {
    Ok(match credentials {
        config::KmsCredentials::File(path) => KmsCredentials::File(absolute(path)),
        config::KmsCredentials::Instance => KmsCredentials::Instance("http://169.254.169.254".to_owned()),
        config::KmsCredentials::Container => {
            let path = std::env::var(CONTAINER_URI).ok().filter(|path| path.starts_with('/'));
            let missing =
                || Failure::Refused(format!("wallet.kms.credentials is \"container\", but {CONTAINER_URI} is not set"));
            KmsCredentials::Container(format!("http://169.254.170.2{}", path.ok_or_else(missing)?))
        }
    })
}

/// A path that means the same in another process.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Loads another key of the same keeper, or the session key.
pub fn read_key(config: &Config, file: Option<&Path>) -> Result<LocalKey, Failure> {
    let own = key_source(config)?;
    let source = KeySource { file: file.map_or(own.file, Path::to_path_buf), seal: own.seal };
    source.load().map_err(|why| Failure::Refused(why.to_string()))
}

/// Loads the session key.
pub fn load_key(config: &Config) -> Result<LocalKey, Failure> {
    key_source(config)?.load().map_err(|why| Failure::Refused(why.to_string()))
}
