//! `--otlp`: sends spans of traces to a collector of OpenTelemetry, by gRPC.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{self as sdk, SdkTracerProvider, SpanData};
use tokio::runtime::Runtime;
use tonic::transport::ClientTlsConfig;
use tracing_opentelemetry::OpenTelemetryLayer;
use url::Url;

use super::error::CliError;
use crate::proto::reason::Category;
use crate::trace;

/// Time for the last spans when the process ends.
const FLUSH_TIME: Duration = Duration::from_secs(3);

/// The variable by which OpenTelemetry names a service.
const NAME_VARIABLE: &str = "OTEL_SERVICE_NAME";

#[derive(Debug, Clone, Args)]
pub(super) struct OtlpArgs {
    /// Send traces to this collector of OpenTelemetry, by OTLP over gRPC, such as http://127.0.0.1:4317
    #[arg(long, value_name = "URL", env = "STEMWIRE_OTLP")]
    otlp: Option<Url>,
}

/// What sends the spans of this process; when it is dropped, the last ones.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    /// Runs the connection.
    _runtime: Runtime,
}

impl OtlpArgs {
    /// Starts to send traces as `service`, if there is a collector.
    ///
    /// # Errors
    /// An address that is none; threads that cannot be started. A collector that cannot be reached is none.
    pub(super) fn start(&self, service: &'static str) -> Result<Option<Traces>, CliError> {
        let Some(url) = &self.otlp else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("otlp")
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| {
            CliError::plain(Category::Other, format!("cannot start threads: {error}"))
        })?;
        let exporter = {
            let _in_runtime = runtime.enter();
            let builder = SpanExporter::builder().with_tonic().with_endpoint(url.as_str());
            match url.scheme() {
                "https" => {
                    builder.with_tls_config(ClientTlsConfig::new().with_native_roots()).build()
                }
                _ => builder.build(),
            }
        };
        let exporter = exporter.map_err(|error| {
            let remedy = "Name the gRPC port of a collector, such as http://127.0.0.1:4317.";
            CliError::new(Category::Usage, format!("--otlp {url}: {error}"), remedy)
        })?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(LoggedExporter { exporter, is_away: AtomicBool::new(false) })
            .with_resource(resource(service))
            .build();
        trace::turn_on();
        Ok(Some(Traces { provider, _runtime: runtime }))
    }
}

impl Traces {
    /// What makes spans of those of `tracing`.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, sdk::Tracer>
    where
        S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("stemwire"))
            .with_context_activation(false)
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // Spans that a collector does not take are lost, as others are while it is away.
        let _ = self.provider.shutdown_with_timeout(FLUSH_TIME);
    }
}

/// What the spans of this process have in common.
fn resource(service: &'static str) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    match std::env::var_os(NAME_VARIABLE) {
        Some(_) => builder.build(),
        None => builder.with_service_name(service).build(),
    }
}

/// An exporter that logs when the collector goes away, and when it is back.
#[derive(Debug)]
struct LoggedExporter<E> {
    exporter: E,
    is_away: AtomicBool,
}

impl<E: sdk::SpanExporter> sdk::SpanExporter for LoggedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        let was_away = self.is_away.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !was_away => {
                tracing::warn!(%error, "the collector takes no traces; they are lost");
            }
            Ok(()) if was_away => tracing::info!("the collector takes traces again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}
