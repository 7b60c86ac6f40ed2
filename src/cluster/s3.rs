//! Buckets of S3 and of servers with its interface.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Result, RetryConfig};

use super::https::{ObserverSlot, StoreConnector};

/// Repetitions of a request that the server could not answer. Sessions repeat the call, and report an outage.
const RETRIES: usize = 3;
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// Opens a bucket with the credentials, the region and the endpoint of the environment (`AWS_ACCESS_KEY_ID`, …). An endpoint
/// may be without TLS.
///
/// # Errors
/// Invalid variables; no root certificates.
pub(super) fn open(
    bucket: &str,
    prefix: &str,
    observer: &ObserverSlot,
) -> Result<PrefixStore<AmazonS3>> {
    let backoff = BackoffConfig { max_backoff: LONGEST_BACKOFF, ..BackoffConfig::default() };
    let retry = RetryConfig { backoff, max_retries: RETRIES, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_http_connector(StoreConnector { observer: Arc::clone(observer) })
        .with_retry(retry);
    let endpoint = |key| builder.get_config_value(&key);
    let endpoint =
        endpoint(AmazonS3ConfigKey::S3Endpoint).or(endpoint(AmazonS3ConfigKey::Endpoint));
    if endpoint.is_some_and(|url| url.starts_with("http://")) {
        builder = builder.with_allow_http(true);
    }
    let store = builder.build()?;
    Ok(PrefixStore::new(store, prefix))
}
