//! Buckets of the clouds, and of servers with their interfaces.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, Result, RetryConfig};

use super::https::{ObserverSlot, StoreConnector};

/// Repetitions of a request that the server could not answer. Sessions repeat the call, and report an outage.
const RETRIES: usize = 3;
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// A service with buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketService {
    /// S3 of AWS, and servers with its interface.
    S3,
    /// Cloud Storage of Google.
    GoogleCloud,
    /// Blob Storage of Azure, where a bucket is a container.
    Azure,
}

impl BucketService {
    /// All of them.
    pub(super) const ALL: [BucketService; 3] =
        [BucketService::S3, BucketService::GoogleCloud, BucketService::Azure];

    /// The scheme of its URLs.
    pub fn scheme(self) -> &'static str {
        match self {
            BucketService::S3 => "s3",
            BucketService::GoogleCloud => "gs",
            BucketService::Azure => "az",
        }
    }

    /// What the names of its environment variables begin with.
    pub fn variables(self) -> &'static str {
        match self {
            BucketService::S3 => "AWS_",
            BucketService::GoogleCloud => "GOOGLE_",
            BucketService::Azure => "AZURE_",
        }
    }

    /// Opens a bucket with the credentials and the address of the environment (`AWS_ACCESS_KEY_ID`, …), whose address may be
    /// without TLS.
    ///
    /// # Errors
    /// Invalid or missing variables; no root certificates.
    pub(super) fn open(
        self,
        bucket: &str,
        prefix: &str,
        observer: &ObserverSlot,
    ) -> Result<PrefixStore<Box<dyn ObjectStore>>> {
        let connector = StoreConnector { observer: Arc::clone(observer) };
        let store: Box<dyn ObjectStore> = match self {
            BucketService::S3 => Box::new(s3(bucket, connector).build()?),
            BucketService::GoogleCloud => Box::new(google_cloud(bucket, connector).build()?),
            BucketService::Azure => Box::new(azure(bucket, connector).build()?),
        };
        Ok(PrefixStore::new(store, prefix))
    }
}

fn s3(bucket: &str, connector: StoreConnector) -> AmazonS3Builder {
    let builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_http_connector(connector)
        .with_retry(retry());
    let endpoint = |key| builder.get_config_value(&key);
    let endpoint =
        endpoint(AmazonS3ConfigKey::S3Endpoint).or(endpoint(AmazonS3ConfigKey::Endpoint));
    if is_plain(endpoint) { builder.with_allow_http(true) } else { builder }
}

fn google_cloud(bucket: &str, connector: StoreConnector) -> GoogleCloudStorageBuilder {
    GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(bucket)
        .with_http_connector(connector)
        .with_retry(retry())
}

fn azure(container: &str, connector: StoreConnector) -> MicrosoftAzureBuilder {
    let builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(container)
        .with_http_connector(connector)
        .with_retry(retry());
    let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
    if is_plain(endpoint) { builder.with_allow_http(true) } else { builder }
}

fn retry() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: LONGEST_BACKOFF, ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: RETRIES, ..RetryConfig::default() }
}

/// Whether an address is without TLS.
fn is_plain(endpoint: Option<String>) -> bool {
    endpoint.is_some_and(|url| url.starts_with("http://"))
}
