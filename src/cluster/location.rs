//! The addresses of what machines share: an object store, and NATS servers.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use object_store::path::Path;
use url::Url;

use super::BucketService;

/// Where an object store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A folder that all machines have mounted: `file:///mnt/stemwire`.
    Folder(PathBuf),
    /// A bucket: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.
    Bucket {
        /// Whose it is.
        service: BucketService,
        /// Its name.
        bucket: String,
        /// What all keys begin with, without slashes at its ends. May be empty.
        prefix: String,
    },
}

impl StoreLocation {
    /// The remedy where it cannot be opened, as one imperative sentence.
    pub fn remedy(&self) -> String {
        match self {
            StoreLocation::Folder(_) => "Check the folder and its permissions.".to_owned(),
            StoreLocation::Bucket { service, .. } => {
                format!(
                    "Check the environment variables {}…, which docs/OPERATIONS.md lists.",
                    service.variables()
                )
            }
        }
    }
}

/// The text names no store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the URL of an object store: {problem}")]
pub struct LocationError {
    text: String,
    problem: &'static str,
}

impl LocationError {
    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> &'static str {
        "Give --store the URL of a folder or bucket, such as file:///mnt/stemwire, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix."
    }
}

impl FromStr for StoreLocation {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<StoreLocation, LocationError> {
        let bad = |problem| LocationError { text: text.to_owned(), problem };
        let url = Url::parse(text).map_err(|_| bad("it has no scheme such as file://"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it has a query or a fragment"));
        }
        match url.scheme() {
            "file" => url
                .to_file_path()
                .map(StoreLocation::Folder)
                .map_err(|()| bad("its path is not absolute")),
            scheme => {
                let service =
                    BucketService::ALL.into_iter().find(|service| service.scheme() == scheme);
                let service = service
                    .ok_or_else(|| bad("its scheme is none of file://, s3://, gs:// and az://"))?;
                bucket(service, &url).map_err(bad)
            }
        }
    }
}

/// The port of NATS servers.
const DEFAULT_PORT: u16 = 4222;

/// The servers of one NATS cluster, of which any is connected to.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsLocation(Vec<Url>);

/// The text names no NATS server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--cluster is not the URL of NATS servers: {0}")]
pub struct NatsLocationError(&'static str);

impl NatsLocationError {
    /// The remedy, as one imperative sentence.
    pub fn remedy(&self) -> &'static str {
        "Give --cluster the URLs of the NATS servers, such as nats://10.0.0.1:4222,nats://10.0.0.2:4222."
    }
}

impl NatsLocation {
    /// The URLs, with credentials.
    pub(super) fn urls(&self) -> impl Iterator<Item = &Url> {
        self.0.iter()
    }

    /// Host and port of each server, such as `10.0.0.1:4222`.
    pub fn addresses(&self) -> Vec<String> {
        let port = |url: &Url| url.port().unwrap_or(DEFAULT_PORT);
        let address = |url: &Url| format!("{}:{}", url.host_str().unwrap_or_default(), port(url));
        self.urls().map(address).collect()
    }
}

impl FromStr for NatsLocation {
    type Err = NatsLocationError;

    fn from_str(text: &str) -> Result<NatsLocation, NatsLocationError> {
        let servers: Result<_, _> = text.split(',').map(nats_server).collect();
        servers.map(NatsLocation).map_err(NatsLocationError)
    }
}

/// One server. Errors do not repeat its URL, which may have a password.
fn nats_server(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text.trim()).map_err(|_| "it has no scheme such as nats://")?;
    if !["nats", "tls"].contains(&url.scheme()) {
        return Err("its scheme is neither nats:// nor tls://");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it has no host");
    }
    if !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some() {
        return Err("it has more than a user, a host and a port");
    }
    Ok(url)
}

/// Without credentials.
impl fmt::Display for NatsLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, url) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
            url.port().map_or(Ok(()), |port| write!(f, ":{port}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for NatsLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NatsLocation({self})")
    }
}

fn bucket(service: BucketService, url: &Url) -> Result<StoreLocation, &'static str> {
    let bucket = url.host_str().filter(|host| !host.is_empty()).ok_or("it has no bucket")?;
    if url.port().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("it has more than a bucket and a prefix");
    }
    let prefix = Path::from_url_path(url.path()).map_err(|_| "its prefix is no path of keys")?;
    Ok(StoreLocation::Bucket { service, bucket: bucket.to_owned(), prefix: prefix.to_string() })
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreLocation::Folder(folder) => write!(f, "file://{}", folder.display()),
            StoreLocation::Bucket { service, bucket, prefix } => {
                write!(f, "{}://{bucket}/{prefix}", service.scheme())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses(text: &str, problem: &str) {
        let error = text.parse::<StoreLocation>().unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains(text), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_named_by_an_absolute_path() {
        let folder = StoreLocation::Folder(PathBuf::from("/mnt/two words/"));
        assert_eq!("file:///mnt/two%20words/".parse(), Ok(folder));
        refuses("/mnt/store", "no scheme");
        refuses("file://host/share", "not absolute");
        refuses("file:///mnt?versioned", "query");
        refuses("ftp://host/store", "none of file://, s3://, gs:// and az://");
    }

    #[test]
    fn a_bucket_has_a_prefix_or_none() {
        let bucket = |service, bucket: &str, prefix: &str| {
            Ok(StoreLocation::Bucket {
                service,
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
            })
        };
        assert_eq!("s3://songs".parse(), bucket(BucketService::S3, "songs", ""));
        assert_eq!(
            "gs://songs.example/".parse(),
            bucket(BucketService::GoogleCloud, "songs.example", "")
        );
        let words = bucket(BucketService::Azure, "songs", "a/two words");
        assert_eq!("az://songs/a/two%20words/".parse(), words);
        assert_eq!(words.unwrap().to_string(), "az://songs/a/two words");
        refuses("s3:///prefix", "no bucket");
        refuses("gs://user@songs/prefix", "more than a bucket");
        refuses("az://songs:9000/prefix", "more than a bucket");
        refuses("s3://songs/a//b", "no path of keys");
    }

    #[test]
    fn nats_servers_are_named_with_commas_and_shown_without_passwords() {
        let two: NatsLocation = "nats://user:secret@one:4222,tls://two".parse().unwrap();
        assert_eq!(two.to_string(), "nats://one:4222,tls://two");
        assert!(!format!("{two:?}").contains("secret"));
        for (text, problem) in [
            ("localhost:4222", "nats://"),
            ("http://one", "tls://"),
            ("nats://", "no host"),
            ("nats://one/prefix", "more than"),
            ("nats://one,", "no scheme"),
        ] {
            let error = text.parse::<NatsLocation>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
